//! How a VM comes to life: instantiation, initialisation, one root context a plugin.

use super::{CallbackResult, Callbacks, ContextKind, Plugin, Root, Stage, Vm, VmSetup, VmState};
use crate::error::{Cause, Error, Failure};
use crate::limits::MemoryLimit;
use crate::simulation::Simulation;
use crate::stats::MetricIds;
use crate::transcript::TranscriptEvent;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use wasmtime::{Export, Store, UnknownImportError};

// === impl Vm ===

impl Vm {
    /// Instantiates, runs `_initialize` (and `main`) or `_start`, and starts every plugin.
    ///
    /// `number` 0 is the canary.
    pub fn start(setup: &VmSetup, number: usize) -> Result<Self, Error> {
        let mut vm = Self::instantiate(setup, number)?;
        vm.initialize().map_err(|failure| vm.start_error(failure))?;
        for plugin in &setup.plugins {
            let root = vm.start_plugin(plugin)?;
            vm.roots.push(root);
        }
        vm.write(TranscriptEvent::VmStarted);
        Ok(vm)
    }

    fn instantiate(setup: &VmSetup, number: usize) -> Result<Self, Error> {
        let mut store = Store::new(setup.instantiator.engine(), VmState::new(setup, number));
        store.limiter(|state| &mut state.limits);
        // Fuel is always on (see `module::engine`), so setting it can not fail.
        let _ = store.set_fuel(setup.fuel);
        let instance = setup.instantiator.instantiate(&mut store).map_err(|error| {
            if error.is::<UnknownImportError>() {
                return Error::Link(error.to_string());
            }
            let failure = Failure::new("instantiation", setup.fuel, &error);
            let failure = Box::new(failure.under(&store.data().limits));
            Error::Start { vm: vm_name(number), failure, log: logged(&setup.simulation.borrow()) }
        })?;
        let callbacks = Callbacks::of(&instance, &mut store, setup.version())?;
        // Its name does not matter. A module that exports none may have imported one.
        let memory = instance.exports(&mut store).find_map(Export::into_memory);
        let named = |name, function: &Option<_>| Some((name, function.clone()?));
        let allocator = named("malloc", &callbacks.malloc)
            .or_else(|| named("proxy_on_memory_allocate", &callbacks.memory_allocate));
        let state = store.data_mut();
        state.memory = memory.or(state.memory);
        state.is_linked = true;
        state.allocator = Some(allocator.ok_or(Error::NoAllocator)?);
        let started = setup.simulation.borrow().now;
        Ok(Self { store, callbacks, failed: None, started, fuel: setup.fuel, roots: Vec::new() })
    }

    fn initialize(&mut self) -> Result<(), Failure> {
        let stage = Stage::Initializing;
        let done = if let Some(function) = self.callbacks.initialize.clone() {
            let (main, main_void) = (self.callbacks.main.clone(), self.callbacks.main_void.clone());
            let done = self.enter(0, stage, "_initialize", &function, ());
            done.and_then(|()| match (main, main_void) {
                (Some(main), _) => self.enter(0, stage, "main", &main, (0, 0)).map(|_| ()),
                (None, Some(main)) => self.enter(0, stage, "__main_void", &main, ()).map(|_| ()),
                (None, None) => Ok(()),
            })
        } else if let Some(function) = self.callbacks.start.clone() {
            self.enter(0, stage, "_start", &function, ())
        } else {
            Ok(())
        };
        done.map_err(|()| self.failure())
    }

    /// Creates and configures a root context for this plugin.
    pub fn start_plugin(&mut self, plugin: &Rc<Plugin>) -> Result<u32, Error> {
        let kind = ContextKind::Root(Box::new(Root::new(Rc::clone(plugin))));
        let root = self.store.data_mut().new_context(None, kind);
        let create = "proxy_on_context_create";
        self.store.data_mut().configuring = Some(root);
        let created = self.call(root, create, |c| c.context_create.clone(), (root, 0));
        self.store.data_mut().configuring = None;
        if created == CallbackResult::Failed {
            return Err(self.start_error(self.failure()));
        }
        let size = length(&plugin.vm_configuration);
        let said = self.call(root, "proxy_on_vm_start", |c| c.vm_start.clone(), (root, size));
        self.accepted(said, "proxy_on_vm_start")?;
        let size = length(&plugin.configuration);
        self.store.data_mut().configuring = Some(root);
        let said = self.call(root, "proxy_on_configure", |c| c.configure.clone(), (root, size));
        self.store.data_mut().configuring = None;
        self.accepted(said, "proxy_on_configure")?;
        Ok(root)
    }

    fn accepted(&self, said: CallbackResult<u32>, callback: &'static str) -> Result<(), Error> {
        match said {
            CallbackResult::Failed => Err(self.start_error(self.failure())),
            CallbackResult::Returned(0, _) => {
                let log = logged(&self.simulation());
                Err(Error::Refused { vm: vm_name(self.number()), callback, log })
            }
            CallbackResult::Absent | CallbackResult::Returned(..) => Ok(()),
        }
    }

    fn failure(&self) -> Failure {
        let unknown = || Failure {
            callback: "start",
            cause: Cause::Trap("for no known reason".into()),
            frames: Vec::new(),
        };
        self.failed.clone().unwrap_or_else(unknown)
    }

    fn start_error(&self, failure: Failure) -> Error {
        let failure = Box::new(failure);
        Error::Start { vm: vm_name(self.number()), failure, log: logged(&self.simulation()) }
    }
}

fn vm_name(number: usize) -> String {
    if number == 0 { "canary VM".to_owned() } else { format!("worker VM {number}") }
}

fn logged(simulation: &Simulation) -> Vec<String> {
    simulation.transcript.logs().map(|(_, message)| message.to_owned()).collect()
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

// === impl VmState ===

impl VmState {
    fn new(setup: &VmSetup, number: usize) -> Self {
        Self {
            simulation: Rc::clone(&setup.simulation),
            number,
            identity: Rc::clone(&setup.identity),
            environment: Rc::clone(&setup.environment),
            contexts: BTreeMap::new(),
            next_context: 1,
            current: 0,
            effective: 0,
            stage: Stage::Initializing,
            deferred: VecDeque::new(),
            stop_next: false,
            configuring: None,
            metrics: MetricIds::default(),
            next_http_token: 4,
            next_grpc_token: 5,
            next_grpc_stream: 6,
            memory: None,
            is_linked: false,
            allocator: None,
            failed_under_call: None,
            limits: MemoryLimit { bytes: setup.memory, refused: None },
        }
    }
}
