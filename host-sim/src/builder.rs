//! Setting a simulation up.

use crate::abi;
use crate::clock::Instant;
use crate::error::Error;
use crate::faults::FaultPlan;
use crate::host::{Host, VmGroup};
use crate::script::{Cluster, Foreign};
use crate::simulation::{Random, SharedSimulation, Simulation};
use crate::transcript::{Recording, Transcript};
use crate::vm::{Instantiator, Plugin, Vm, VmIdentity, VmSetup};
use std::cell::RefCell;
use std::rc::Rc;

/// What stands before the first request.
#[must_use]
pub struct Builder {
    plugins: Vec<Rc<Plugin>>,
    chain: Vec<String>,
    workers: usize,
    has_main_thread: bool,
    fuel: u64,
    memory: usize,
    simulation: Simulation,
}

/// Instructions one callback may take: far more than a filter needs, a second or two of an endless
/// loop.
const FUEL: u64 = 2_000_000_000;
/// V8's cap in Envoy.
const MEMORY: usize = 1 << 30;

// === impl Builder ===

impl Builder {
    fn new() -> Self {
        let simulation = Simulation { random: Random::new(1), ..Simulation::default() };
        Self {
            plugins: Vec::new(),
            chain: Vec::new(),
            workers: 1,
            has_main_thread: false,
            fuel: FUEL,
            memory: MEMORY,
            simulation,
        }
    }

    /// One more plugin. Those of equal vm_id, VM configuration and code share VMs.
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(Rc::new(plugin));
        self
    }

    /// The filters every request goes through, by their plugins' names, in this order; the first
    /// plugin alone unless told otherwise.
    pub fn chain<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.chain = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// Worker threads, each with its own VMs; 1 unless told otherwise.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// With the VMs of Envoy's main thread, which see no request, but tick and call out. Their numbers follow
    /// those of the workers' VMs. Without them unless told otherwise.
    pub fn main_thread(mut self, is_there: bool) -> Self {
        self.has_main_thread = is_there;
        self
    }

    /// A cluster that can be called. All other names are unknown clusters.
    pub fn cluster(mut self, name: &str, cluster: Cluster) -> Self {
        self.simulation.clusters.insert(name, cluster);
        self
    }

    pub fn faults(mut self, faults: FaultPlan) -> Self {
        self.simulation.faults = faults;
        self
    }

    /// A foreign function that answers otherwise than Envoy's, or is not there.
    pub fn foreign(mut self, name: &str, foreign: Foreign) -> Self {
        self.simulation.foreign.insert(name.to_owned(), foreign);
        self
    }

    /// The time of day when it all begins.
    pub fn at(mut self, now: Instant) -> Self {
        self.simulation.now = now;
        self
    }

    /// Different seeds, different random bytes for the guest.
    pub fn seed(mut self, seed: u64) -> Self {
        self.simulation.random = Random::new(seed);
        self
    }

    /// Instructions a single callback may take before it counts as an endless loop.
    pub fn fuel(mut self, instructions: u64) -> Self {
        self.fuel = instructions;
        self
    }

    /// Bytes of linear memory a VM may have.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    pub fn recording(mut self, recording: Recording) -> Self {
        self.simulation.transcript = Transcript::new(recording);
        self
    }

    /// Starts a canary and then every worker's VMs.
    ///
    /// # Errors
    /// The module does not link, traps on the way up, or refuses its configuration; the chain names a
    /// plugin that is not there.
    pub fn start(self) -> Result<Host, Error> {
        let known = |name: &String| self.plugins.iter().any(|plugin| plugin.name == *name);
        if let Some(name) = self.chain.iter().find(|name| !known(name)) {
            return Err(Error::NoPlugin(name.clone()));
        }
        let mut simulation = self.simulation;
        simulation.started = simulation.now;
        let simulation: SharedSimulation = Rc::new(RefCell::new(simulation));
        let limits = (self.fuel, self.memory);
        let setups = group(self.plugins, &simulation, limits)?;
        for setup in &setups {
            for plugin in &setup.plugins {
                let one = VmSetup { plugins: vec![Rc::clone(plugin)], ..setup.shallow() };
                Vm::start(&one, 0)?;
            }
        }
        let mut groups: Vec<VmGroup> = setups.into_iter().map(VmGroup::new).collect();
        let mut number = self.workers * groups.len();
        for group in groups.iter_mut().filter(|_| self.has_main_thread) {
            number += 1;
            group.main = Some(Vm::start(&group.setup, number)?);
        }
        number = 0;
        for _ in 0..self.workers {
            for group in &mut groups {
                number += 1;
                group.vms.push(Vm::start(&group.setup, number)?);
            }
        }
        Ok(Host::new(groups, self.chain, simulation))
    }
}

fn group(
    plugins: Vec<Rc<Plugin>>,
    simulation: &SharedSimulation,
    (fuel, memory): (u64, usize),
) -> Result<Vec<VmSetup>, Error> {
    let mut setups: Vec<VmSetup> = Vec::new();
    for plugin in plugins {
        let identity = plugin.identity();
        if let Some(setup) = setups.iter_mut().find(|setup| *setup.identity == identity) {
            setup.plugins.push(plugin);
            continue;
        }
        let compiled = plugin.module.compiled();
        let linker = abi::linker(compiled.engine(), plugin.module.abi());
        let linker = linker.map_err(|error| Error::Link(error.to_string()))?;
        let instantiator = Instantiator::new(linker, compiled);
        let instantiator = instantiator.map_err(|error| Error::Link(error.to_string()))?;
        setups.push(VmSetup {
            instantiator,
            identity: Rc::<VmIdentity>::new(identity),
            environment: Rc::new(plugin.environment.clone()),
            plugins: vec![plugin],
            simulation: Rc::clone(simulation),
            fuel,
            memory,
        });
    }
    Ok(setups)
}

// === impl Host ===

impl Host {
    pub fn builder() -> Builder {
        Builder::new()
    }
}

// === impl VmSetup ===

impl VmSetup {
    /// The same without plugins.
    fn shallow(&self) -> Self {
        Self {
            instantiator: self.instantiator.clone(),
            identity: Rc::clone(&self.identity),
            environment: Rc::clone(&self.environment),
            plugins: Vec::new(),
            simulation: Rc::clone(&self.simulation),
            fuel: self.fuel,
            memory: self.memory,
        }
    }
}
