//! What the host keeps for one VM, reachable from inside a host call.

use super::{Context, ContextKind, Root, VmIdentity};
use crate::error::Failure;
use crate::limits::MemoryLimit;
use crate::message::Direction;
use crate::simulation::SharedSimulation;
use crate::stats::MetricIds;
use crate::stream::{Connection, HttpStream, LocalReply};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use wasmtime::{Memory, TypedFunc};

/// What the guest is doing, which decides what it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `_initialize`, `_start` or the module's start function.
    Initializing,
    /// The host asked for memory.
    Allocating,
    Running,
}

/// What a guest asked for in a callback and gets when the callback has returned.
#[derive(Debug)]
pub(crate) enum Deferred {
    Continue { context: u32, direction: Direction },
    ContinueDownstream { context: u32 },
    Close { context: u32 },
    Reply { context: u32, reply: LocalReply },
    Delete { context: u32 },
}

pub(crate) struct VmState {
    pub simulation: SharedSimulation,
    pub number: usize,
    pub identity: Rc<VmIdentity>,
    pub environment: Rc<BTreeMap<String, String>>,
    pub contexts: BTreeMap<u32, Context>,
    pub next_context: u32,
    /// Whom the running callback is for; 0 outside of one.
    pub current: u32,
    /// Whom the guest speaks for instead; 0 is nobody.
    pub effective: u32,
    pub stage: Stage,
    pub deferred: VecDeque<Deferred>,
    /// A local reply was ordered in this callback: its verdict is "stop".
    pub stop_next: bool,
    /// `on_context_create` or `on_configure` is running, for this root.
    pub configuring: Option<u32>,
    pub metrics: MetricIds,
    pub next_http_token: u32,
    pub next_grpc_token: u32,
    pub next_grpc_stream: u32,
    pub memory: Option<Memory>,
    /// The instance is made: its start section has ended.
    pub is_linked: bool,
    /// With its name.
    pub allocator: Option<(&'static str, TypedFunc<(u32,), u32>)>,
    /// How the allocator ended the VM under a host call of the running callback.
    pub failed_under_call: Option<Failure>,
    pub limits: MemoryLimit,
}

// === impl VmState ===

impl VmState {
    /// Whom host calls are about.
    pub fn subject(&self) -> u32 {
        if self.effective != 0 && self.contexts.contains_key(&self.effective) {
            return self.effective;
        }
        self.current
    }

    pub fn new_context(&mut self, root: Option<u32>, kind: ContextKind) -> u32 {
        let id = self.next_context;
        self.next_context += 1;
        self.contexts.insert(id, Context { root: root.unwrap_or(id), kind });
        id
    }

    pub fn root_of(&self, context: u32) -> u32 {
        self.contexts.get(&context).map_or(0, |context| context.root)
    }

    pub fn root_mut(&mut self, id: u32) -> Option<&mut Root> {
        match self.contexts.get_mut(&id).map(|context| &mut context.kind) {
            Some(ContextKind::Root(root)) => Some(root),
            _ => None,
        }
    }

    /// The root behind the subject of a host call.
    pub fn subject_root(&mut self) -> Option<(u32, &mut Root)> {
        let id = self.root_of(self.subject());
        self.root_mut(id).map(|root| (id, root))
    }

    pub fn http(&self, id: u32) -> Option<&HttpStream> {
        match self.contexts.get(&id).map(|context| &context.kind) {
            Some(ContextKind::Http(stream)) => Some(stream),
            _ => None,
        }
    }

    pub fn http_mut(&mut self, id: u32) -> Option<&mut HttpStream> {
        match self.contexts.get_mut(&id).map(|context| &mut context.kind) {
            Some(ContextKind::Http(stream)) => Some(stream),
            _ => None,
        }
    }

    pub fn connection_mut(&mut self, id: u32) -> Option<&mut Connection> {
        match self.contexts.get_mut(&id).map(|context| &mut context.kind) {
            Some(ContextKind::Connection(connection)) => Some(connection),
            _ => None,
        }
    }
}
