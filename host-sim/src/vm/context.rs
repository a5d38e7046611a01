//! Contexts: what the guest knows by a number.

use super::identity::Plugin;
use crate::headers::HeaderMap;
use crate::script::CalloutResponse;
use crate::stream::{Connection, HttpStream};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A context and the root it belongs to (itself, for a root).
#[derive(Debug)]
pub(crate) struct Context {
    pub root: u32,
    pub kind: ContextKind,
}

#[derive(Debug)]
pub(crate) enum ContextKind {
    Root(Box<Root>),
    Http(Box<HttpStream>),
    Connection(Box<Connection>),
}

/// A root context: one plugin in one VM.
#[derive(Debug)]
pub(crate) struct Root {
    pub plugin: Rc<Plugin>,
    pub tick_period: Option<Duration>,
    /// Rises with every change of the period, so that an older timer is recognised.
    pub tick_generation: u64,
    pub callouts: BTreeMap<u32, PendingCallout>,
    /// The answer that is being handed over right now.
    pub response: Option<Box<CalloutResponse>>,
    pub grpc: BTreeMap<u32, PendingGrpc>,
    pub grpc_metadata: Option<HeaderMap>,
    pub grpc_trailing: Option<HeaderMap>,
    pub grpc_message: Option<Vec<u8>>,
    /// What `proxy_get_status` says: code and message of the last callout that failed.
    pub status: (u32, String),
    pub prototypes: HashMap<Vec<u8>, Prototype>,
    /// Expressions that the guest created, by number.
    pub expressions: HashMap<u32, Expression>,
    pub next_expression: u32,
    /// `on_done` said "not yet".
    pub done_pending: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingCallout;

#[derive(Clone, Debug)]
pub(crate) struct PendingGrpc {
    pub is_stream: bool,
    /// What the guest sent on the stream.
    pub sent: Vec<Vec<u8>>,
    pub closed: bool,
}

/// A parsed expression of the Common Expression Language.
#[derive(Clone)]
pub(crate) struct Expression(pub Arc<cel::Program>);

/// A property declared with `declare_property`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prototype {
    pub read_only: bool,
}

// === impl Expression ===

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression")
    }
}

// === impl Root ===

impl Root {
    pub fn new(plugin: Rc<Plugin>) -> Self {
        Self {
            plugin,
            tick_period: None,
            tick_generation: 0,
            callouts: BTreeMap::new(),
            response: None,
            grpc: BTreeMap::new(),
            grpc_metadata: None,
            grpc_trailing: None,
            grpc_message: None,
            status: (0, String::new()),
            prototypes: HashMap::new(),
            expressions: HashMap::new(),
            next_expression: 0,
            done_pending: false,
        }
    }
}
