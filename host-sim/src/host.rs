//! The simulated Envoy: workers, streams, and the passing of time.

use crate::clock::Instant;
use crate::events::Event;
use crate::headers::HeaderMap;
use crate::message::{Direction, Piece};
use crate::outcome::Outcome;
use crate::request::Request;
use crate::script::{Answer, CalloutRequest, Cluster, GrpcRequest};
use crate::simulation::{HeldCallout, SharedSimulation};
use crate::stats::MetricKind;
use crate::stream::{ChainPosition, HalfStream, HttpStream, StreamEnd, StreamId};
use crate::strict::Violation;
use crate::transcript::{Transcript, TranscriptEvent};
use crate::vm::{ContextKind, FailPolicy, Vm, VmSetup};
use std::cell::{Ref, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// A simulation in progress.
pub struct Host {
    pub(crate) groups: Vec<VmGroup>,
    pub(crate) simulation: SharedSimulation,
    /// The filters of a stream, in the order in which a request meets them.
    pub(crate) streams: HashMap<StreamId, Vec<FilterLocation>>,
    last_stream: u64,
    /// Plugins a request goes through if it does not say otherwise, by name.
    chain: Vec<String>,
}

/// VMs of one identity, one a worker.
pub(crate) struct VmGroup {
    pub setup: VmSetup,
    pub vms: Vec<Vm>,
    /// Of the main thread.
    pub main: Option<Vm>,
}

/// Where a stream, or one filter of its chain, is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FilterLocation {
    pub group: usize,
    pub worker: usize,
    pub context: u32,
}

// === impl Host ===

impl Host {
    pub(crate) fn new(
        groups: Vec<VmGroup>,
        chain: Vec<String>,
        simulation: SharedSimulation,
    ) -> Self {
        Self { groups, simulation, streams: HashMap::new(), last_stream: 0, chain }
    }

    /// Brings a request to the filter. It goes as far as it can at once; [`settle`](Self::settle)
    /// lets answers arrive.
    pub fn send(&mut self, request: Request) -> StreamId {
        self.last_stream += 1;
        let id = StreamId(self.last_stream);
        let Request { message, properties, upstream, worker, plugin, unfinished } = request;
        let properties = Rc::new(RefCell::new(properties));
        let begins = if unfinished { HalfStream::beginning } else { HalfStream::arriving };
        let mut half = begins(message);
        let plugins = self.plugins_for(plugin.as_deref());
        let now = self.now();
        let mut places = Vec::with_capacity(plugins.len());
        for (number, (group, root)) in plugins.iter().enumerate() {
            let position = ChainPosition { number, last: number + 1 == plugins.len() };
            let (half, properties) = (std::mem::take(&mut half), Rc::clone(&properties));
            let stream = HttpStream::new(id, now, position, half, upstream.clone(), properties);
            let worker = worker % self.groups.get(*group).map_or(1, |group| group.vms.len().max(1));
            self.reload_if_due(*group, worker);
            let Some(vm) = self.vm(*group, worker) else { continue };
            let root = vm.roots.get(*root).copied();
            let context =
                vm.store.data_mut().new_context(root, ContextKind::Http(Box::new(stream)));
            places.push(FilterLocation { group: *group, worker, context });
        }
        self.streams.insert(id, places);
        if let Some((vm, context)) = self.vm_of(id) {
            vm.begin(context);
        }
        self.hand_over();
        id
    }

    /// Group and place in it of each plugin on a request's way.
    fn plugins_for(&self, only: Option<&str>) -> Vec<(usize, usize)> {
        if only.is_some() || self.chain.is_empty() {
            return self.find_plugin(only).into_iter().collect();
        }
        self.chain.iter().filter_map(|name| self.find_plugin(Some(name))).collect()
    }

    /// More of the body of an [`unfinished`](Request::unfinished) request; with `end`, the last of it.
    pub fn send_body(&mut self, stream: StreamId, bytes: impl Into<Vec<u8>>, end: bool) {
        if let Some((vm, context)) = self.vm_of(stream) {
            let piece = Piece::Body { bytes: bytes.into(), end };
            vm.arrive(context, Direction::Request, piece);
        }
        self.hand_over();
    }

    /// The trailers, and with them the end, of an [`unfinished`](Request::unfinished) request.
    pub fn send_trailers(&mut self, stream: StreamId, trailers: HeaderMap) {
        let Some((vm, context)) = self.vm_of(stream) else { return };
        let Some(exchange) = vm.http(context) else { return };
        exchange.request.trailers = trailers;
        vm.arrive(context, Direction::Request, Piece::Trailers);
        self.hand_over();
    }

    /// Lets everything happen that is going to, however long it takes, but for timers.
    pub fn settle(&mut self) {
        loop {
            let Some(next) = self.simulation.borrow().events.next_but_ticks() else { return };
            self.run_until(next);
        }
    }

    /// Lets time pass; timers fire.
    pub fn advance(&mut self, wait: Duration) {
        let until = self.simulation.borrow().now.after(wait);
        self.run_until(until);
    }

    fn run_until(&mut self, until: Instant) {
        loop {
            let due = self.simulation.borrow_mut().events.next_due(until);
            let Some(due) = due else { break };
            {
                let mut simulation = self.simulation.borrow_mut();
                simulation.now = simulation.now.max(due.at);
            }
            let mut groups = self.groups.iter_mut();
            if let Some(vm) = groups.find_map(|group| group.of_number(due.vm)) {
                vm.happen(due.event);
            }
            self.hand_over();
        }
        let mut simulation = self.simulation.borrow_mut();
        simulation.now = simulation.now.max(until);
    }

    /// The guest goes away: its stream is destroyed where it stands. Callouts live on.
    pub fn cancel(&mut self, stream: StreamId) {
        if let Some((vm, context)) = self.vm_of(stream) {
            vm.write(TranscriptEvent::StreamReset { stream });
            vm.end_stream(context, StreamEnd::Reset);
        }
        self.hand_over();
    }

    /// How a request is doing.
    pub fn outcome(&self, stream: StreamId) -> Outcome {
        let simulation = self.simulation.borrow();
        if let Some(ended) = simulation.ended.get(&stream) {
            return Outcome::of(ended.iter());
        }
        let places = self.streams.get(&stream).into_iter().flatten();
        Outcome::of(places.filter_map(|at| {
            let vm = self.groups.get(at.group)?.vms.get(at.worker)?;
            vm.store.data().http(at.context)
        }))
    }

    /// Lets go of what is kept of a stream that is over, in long simulations.
    pub fn forget(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
        self.simulation.borrow_mut().ended.remove(&stream);
    }

    /// Sends a request and lets everything happen: the common case.
    pub fn exchange(&mut self, request: Request) -> Outcome {
        let stream = self.send(request);
        self.settle();
        self.outcome(stream)
    }

    pub fn now(&self) -> Instant {
        self.simulation.borrow().now
    }

    pub fn transcript(&self) -> Ref<'_, Transcript> {
        Ref::map(self.simulation.borrow(), |simulation| &simulation.transcript)
    }

    /// Replaces a cluster's script, or adds a cluster.
    pub fn set_cluster(&mut self, name: &str, cluster: Cluster) {
        self.simulation.borrow_mut().clusters.insert(name, cluster);
    }

    /// Answers what a cluster has left open: what `answer` has an answer to. Whoever gave up meanwhile
    /// hears nothing of it.
    pub fn answer_held(
        &mut self,
        cluster: &str,
        mut answer: impl FnMut(&CalloutRequest) -> Option<Answer>,
    ) {
        let mut simulation = self.simulation.borrow_mut();
        let held = std::mem::take(&mut simulation.held);
        for callout in held {
            let HeldCallout { vm, root, token, ref request } = callout;
            let answered = (request.cluster == cluster).then(|| answer(request)).flatten();
            match answered.and_then(|answer| answer.outcome(request.timeout)) {
                Some((delay, response)) => {
                    let response = response.map(Box::new);
                    simulation.schedule(delay, vm, Event::Callout { root, token, response });
                }
                None => simulation.held.push(callout),
            }
        }
    }

    /// What a cluster was asked over HTTP.
    pub fn callouts(&self, cluster: &str) -> Vec<CalloutRequest> {
        let simulation = self.simulation.borrow();
        simulation.clusters.get(cluster).map(|cluster| cluster.asked.clone()).unwrap_or_default()
    }

    /// What a cluster was asked and answered [apart](crate::Cluster::answering_apart).
    pub fn callouts_apart(&self, cluster: &str) -> Vec<CalloutRequest> {
        let simulation = self.simulation.borrow();
        simulation
            .clusters
            .get(cluster)
            .map(|cluster| cluster.asked_apart.clone())
            .unwrap_or_default()
    }

    /// What a cluster was asked over gRPC.
    pub fn grpc_callouts(&self, cluster: &str) -> Vec<GrpcRequest> {
        let simulation = self.simulation.borrow();
        simulation
            .clusters
            .get(cluster)
            .map(|cluster| cluster.grpc_asked.clone())
            .unwrap_or_default()
    }

    /// A metric by its name, without Envoy's prefix `wasmcustom.`.
    pub fn metric(&self, kind: MetricKind, name: &str) -> Option<u64> {
        self.simulation.borrow().stats.value(kind, name)
    }

    pub fn metrics(&self) -> Vec<(MetricKind, String, u64)> {
        let simulation = self.simulation.borrow();
        simulation.stats.iter().map(|(kind, name, value)| (kind, name.to_owned(), value)).collect()
    }

    /// Every entry of shared data: `vm_id`, key, value.
    pub fn shared_data(&self) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let simulation = self.simulation.borrow();
        let entries = simulation.shared_data.iter();
        entries.map(|(id, key, value)| (id.to_owned(), key.to_vec(), value.to_vec())).collect()
    }

    /// Bytes of linear memory, all VMs together.
    pub fn memory(&self) -> usize {
        let vms = self.groups.iter().flat_map(VmGroup::all);
        vms.filter_map(|vm| Some(vm.store.data().memory?.data_size(&vm.store))).sum()
    }

    /// VMs that have failed and not been replaced.
    pub fn failed_vms(&self) -> usize {
        self.groups.iter().flat_map(VmGroup::all).filter(|vm| vm.failed.is_some()).count()
    }

    /// Looks for what nobody will ever end, and returns everything a well-behaved module would not
    /// have done.
    pub fn finish(&mut self) -> Vec<Violation> {
        let mut leaks = Vec::new();
        for vm in self.groups.iter().flat_map(VmGroup::all) {
            for (id, context) in &vm.store.data().contexts {
                match &context.kind {
                    ContextKind::Http(stream) => leaks.extend(never_resumed(stream)),
                    ContextKind::Root(root) => leaks.extend(
                        root.callouts
                            .keys()
                            .map(|token| Violation::LeakedCallout { root: *id, token: *token }),
                    ),
                    ContextKind::Connection(_) => {}
                }
            }
        }
        let mut simulation = self.simulation.borrow_mut();
        leaks.into_iter().for_each(|leak| simulation.violation(0, leak));
        simulation.transcript.violations().cloned().collect()
    }

    /// A fresh VM in place of a failed one, where the policy and the back-off allow it.
    fn reload_if_due(&mut self, group: usize, worker: usize) {
        let now = self.now();
        let Some(VmGroup { setup, vms, .. }) = self.groups.get_mut(group) else { return };
        let Some(vm) = vms.get_mut(worker) else { return };
        let policy = setup.plugins.first().map(|plugin| plugin.fail_policy);
        if let (Some(FailPolicy::Reload { backoff }), Some(_)) = (policy, &vm.failed)
            && now >= vm.started.after(backoff)
            && let Ok(fresh) = Vm::start(setup, vm.number())
        {
            *vm = fresh;
        }
    }

    pub(crate) fn find_plugin(&self, name: Option<&str>) -> Option<(usize, usize)> {
        let groups = self.groups.iter().enumerate();
        let mut plugins = groups.flat_map(|(group, of)| {
            let plugins = of.setup.plugins.iter().enumerate();
            plugins.map(move |(index, plugin)| (group, index, plugin))
        });
        let wanted = plugins.find(|(_, _, plugin)| name.is_none_or(|name| plugin.name == name));
        wanted.map(|(group, index, _)| (group, index))
    }

    pub(crate) fn vm(&mut self, group: usize, worker: usize) -> Option<&mut Vm> {
        self.groups.get_mut(group)?.vms.get_mut(worker)
    }

    /// The first filter of a stream.
    fn vm_of(&mut self, stream: StreamId) -> Option<(&mut Vm, u32)> {
        let FilterLocation { group, worker, context } = *self.streams.get(&stream)?.first()?;
        self.vm(group, worker).map(|vm| (vm, context))
    }
}

// === impl VmGroup ===

impl VmGroup {
    pub fn new(setup: VmSetup) -> Self {
        Self { setup, vms: Vec::new(), main: None }
    }

    pub fn all(&self) -> impl Iterator<Item = &Vm> {
        self.vms.iter().chain(&self.main)
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Vm> {
        self.vms.iter_mut().chain(&mut self.main)
    }

    fn of_number(&mut self, number: usize) -> Option<&mut Vm> {
        self.all_mut().find(|vm| vm.number() == number)
    }
}

fn never_resumed(stream: &HttpStream) -> Option<Violation> {
    let id = stream.id;
    let held = |half: &HalfStream| half.is_held() && !half.complete;
    let half = match (held(&stream.request), held(&stream.response)) {
        (true, _) => "request",
        (_, true) => "response",
        _ => return None,
    };
    Some(Violation::NeverResumed { stream: id, half })
}
