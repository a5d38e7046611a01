//! A running instance of a module, and how it is called.

use super::{Callbacks, Deferred, Instantiator, Plugin, Stage, VmState};
use crate::clock::Instant;
use crate::error::{Cause, Failure};
use crate::message::Direction;
use crate::module::AbiVersion;
use crate::simulation::{SharedSimulation, Simulation};
use crate::stream::HttpStream;
use crate::transcript::TranscriptEvent;
use crate::vm::VmIdentity;
use std::cell::RefMut;
use std::collections::BTreeMap;
use std::rc::Rc;
use wasmtime::{Store, TypedFunc, WasmParams, WasmResults};

/// All it takes to make one more VM of a group.
pub(crate) struct VmSetup {
    pub instantiator: Instantiator,
    pub identity: Rc<VmIdentity>,
    pub environment: Rc<BTreeMap<String, String>>,
    pub plugins: Vec<Rc<Plugin>>,
    pub simulation: SharedSimulation,
    /// Instructions a single callback may take.
    pub fuel: u64,
    /// Bytes of linear memory.
    pub memory: usize,
}

/// One instance. Once it has failed nothing calls into it any more.
pub(crate) struct Vm {
    pub store: Store<VmState>,
    pub callbacks: Callbacks,
    pub failed: Option<Failure>,
    pub started: Instant,
    pub fuel: u64,
    /// A root context a plugin, in their order.
    pub roots: Vec<u32>,
}

/// How a callback went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackResult<R> {
    /// The module has no such callback.
    Absent,
    /// With the verdict, and whether a local reply overrules it.
    Returned(R, bool),
    /// It failed now, or the VM had failed before.
    Failed,
}

/// Arguments and results as the transcript shows them.
pub(crate) trait WasmValues {
    fn numbers(&self) -> Vec<u32>;
}

// === impl VmSetup ===

impl VmSetup {
    /// Of the module, which all plugins of a VM share.
    pub fn version(&self) -> AbiVersion {
        self.plugins.first().map_or(AbiVersion::V0_2_1, |plugin| plugin.module.abi())
    }
}

// === impl Vm ===

impl Vm {
    pub fn simulation(&self) -> RefMut<'_, Simulation> {
        self.store.data().simulation.borrow_mut()
    }

    pub fn number(&self) -> usize {
        self.store.data().number
    }

    pub fn write(&self, what: TranscriptEvent) {
        self.simulation().write(self.number(), what);
    }

    pub fn http(&mut self, context: u32) -> Option<&mut HttpStream> {
        self.store.data_mut().http_mut(context)
    }

    pub fn plugin_of(&mut self, context: u32) -> Option<Rc<Plugin>> {
        let state = self.store.data_mut();
        let root = state.root_of(context);
        state.root_mut(root).map(|root| Rc::clone(&root.plugin))
    }

    /// Calls the guest on behalf of a context, then does what it asked for meanwhile.
    pub fn call<P, R>(
        &mut self,
        context: u32,
        name: &'static str,
        function: impl FnOnce(&Callbacks) -> Option<TypedFunc<P, R>>,
        args: P,
    ) -> CallbackResult<R>
    where
        P: WasmParams + WasmValues,
        R: WasmResults + WasmValues,
    {
        if self.failed.is_some() {
            return CallbackResult::Failed;
        }
        let Some(function) = function(&self.callbacks) else { return CallbackResult::Absent };
        self.write_call(name, context, &args);
        let result = self.enter(context, Stage::Running, name, &function, args);
        let stopped = std::mem::take(&mut self.store.data_mut().stop_next);
        self.drain();
        match result {
            Ok(value) => CallbackResult::Returned(value, stopped),
            Err(()) => CallbackResult::Failed,
        }
    }

    fn write_call<P: WasmValues>(&self, name: &'static str, context: u32, args: &P) {
        let mut simulation = self.simulation();
        if simulation.transcript.records_calls() {
            let args = args.numbers().split_off(1);
            let number = self.number();
            simulation.write(number, TranscriptEvent::Callback { name, context, args });
        }
    }

    /// Runs a guest function with a fresh allowance. On failure the VM is over.
    pub fn enter<P: WasmParams, R: WasmResults + WasmValues>(
        &mut self,
        context: u32,
        stage: Stage,
        name: &'static str,
        function: &TypedFunc<P, R>,
        args: P,
    ) -> Result<R, ()> {
        let state = self.store.data_mut();
        let before = (state.current, state.effective, state.stage);
        (state.current, state.effective, state.stage) = (context, 0, stage);
        // Fuel is always on (see `module::engine`), so setting it can not fail.
        let _ = self.store.set_fuel(self.fuel);
        let result = function.call(&mut self.store, args);
        let fuel = self.fuel - self.store.get_fuel().unwrap_or_default();
        let state = self.store.data_mut();
        (state.current, state.effective, state.stage) = before;
        let failed = state.failed_under_call.take();
        match result {
            Ok(value) => {
                self.write(TranscriptEvent::Returned {
                    name,
                    value: value.numbers().first().copied(),
                    fuel,
                });
                // What it returned counts for nothing where the VM had failed under it.
                self.failed = failed;
                if self.failed.is_some() { Err(()) } else { Ok(value) }
            }
            Err(error) => {
                let failure = Failure::new(name, self.fuel, &error);
                self.fail(failure.under(&self.store.data().limits));
                Err(())
            }
        }
    }

    pub fn fail(&mut self, failure: Failure) {
        self.write(TranscriptEvent::VmFailed { failure: failure.clone() });
        self.failed = Some(failure);
    }

    /// Does what the guest has asked for, first come, first served.
    pub fn drain(&mut self) {
        while let Some(deferred) = self.store.data_mut().deferred.pop_front() {
            match deferred {
                Deferred::Continue { context, direction } => self.resume(context, direction),
                Deferred::ContinueDownstream { context } => self.resume_downstream(context),
                Deferred::Close { context } => self.close(context),
                Deferred::Reply { context, reply } => self.local_reply(context, reply),
                Deferred::Delete { context } => {
                    self.call(context, "proxy_on_delete", |c| c.delete.clone(), (context,));
                    self.store.data_mut().contexts.remove(&context);
                }
            }
        }
    }

    fn resume(&mut self, context: u32, direction: Direction) {
        if direction == Direction::Response
            && self.http(context).is_some_and(|s| s.awaits_response())
        {
            let cause =
                Cause::Crash("the guest continues a response that has not begun".to_owned());
            let failure = Failure { callback: "proxy_continue_stream", cause, frames: Vec::new() };
            return self.fail(failure);
        }
        self.resume_half(context, direction);
        self.pump(context, direction);
    }
}

// === impl WasmValues ===

impl WasmValues for () {
    fn numbers(&self) -> Vec<u32> {
        Vec::new()
    }
}

impl WasmValues for u32 {
    fn numbers(&self) -> Vec<u32> {
        vec![*self]
    }
}

macro_rules! numbers {
    ($($name:ident: $kind:ty),+) => {
        impl WasmValues for ($($kind,)+) {
            fn numbers(&self) -> Vec<u32> {
                let ($($name,)+) = *self;
                vec![$($name),+]
            }
        }
    };
}

numbers!(a: u32);
numbers!(a: u32, b: u32);
numbers!(a: u32, b: u32, c: u32);
numbers!(a: u32, b: u32, c: u32, d: u32, e: u32);
