//! The simulated Envoy: workers, streams, and the passing of time.

use crate::builder::Builder;
use crate::clock::Instant;
use crate::exchange::{
    ConnectionView, Direction, Ending, HttpStream, Leg, LocalReply, Peer, Piece, StreamId,
};
use crate::headers::HeaderMap;
use crate::outcome::Outcome;
use crate::properties::Properties;
use crate::request::Request;
use crate::script::{CalloutRequest, Cluster, GrpcRequest};
use crate::stats::MetricKind;
use crate::strict::Violation;
use crate::transcript::{Transcript, What};
use crate::vm::{Called, FailPolicy, Kind, Vm, VmSetup};
use crate::world::SharedWorld;
use std::cell::Ref;
use std::collections::HashMap;
use std::time::Duration;

/// A simulation in progress.
pub struct Host {
    groups: Vec<Group>,
    world: SharedWorld,
    streams: HashMap<StreamId, Place>,
    last_stream: u64,
}

/// VMs of one identity, one a worker.
pub(crate) struct Group {
    pub setup: VmSetup,
    pub vms: Vec<Vm>,
}

/// Where a stream is.
#[derive(Clone, Copy, Debug)]
struct Place {
    group: usize,
    worker: usize,
    context: u32,
}

/// Names a TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionId(Place);

// === impl Host ===

impl Host {
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn new(groups: Vec<Group>, world: SharedWorld) -> Self {
        Self { groups, world, streams: HashMap::new(), last_stream: 0 }
    }

    /// Brings a request to the filter. It goes as far as it can at once; [`settle`](Self::settle)
    /// lets answers arrive.
    pub fn send(&mut self, request: Request) -> StreamId {
        self.last_stream += 1;
        let id = StreamId(self.last_stream);
        let Request { message, properties, upstream, worker, plugin, unfinished } = request;
        let leg = if unfinished { Leg::beginning } else { Leg::arriving };
        let stream = Box::new(HttpStream::new(id, leg(message), upstream, properties));
        let Some((group, root)) = self.find_plugin(plugin.as_deref()) else {
            self.world.borrow_mut().ended.insert(id, stream);
            return id;
        };
        let worker = worker % self.groups.get(group).map_or(1, |group| group.vms.len().max(1));
        self.reload_if_due(group, worker);
        let Some(vm) = self.vm(group, worker) else { return id };
        let root = vm.roots.get(root).copied().unwrap_or_default();
        let context = vm.store.data_mut().new_context(Some(root), Kind::Http(stream));
        self.streams.insert(id, Place { group, worker, context });
        self.begin(id);
        id
    }

    fn begin(&mut self, id: StreamId) {
        let Some((vm, context)) = self.vm_of(id) else { return };
        let root = vm.store.data().root_of(context);
        let create = "proxy_on_context_create";
        let created = vm.call(context, create, |c| c.context_create.clone(), (context, root));
        if created == Called::Failed {
            // The canary's configuration stands; only this VM is gone.
            let open = vm.plugin_of(context).map(|plugin| plugin.fail_policy);
            if open != Some(FailPolicy::Open) {
                return vm.direct_reply(context, LocalReply::vm_failed());
            }
        }
        vm.pump(context, Direction::Request);
    }

    /// More of the body of an [`unfinished`](Request::unfinished) request; with `end`, the last of it.
    pub fn send_body(&mut self, stream: StreamId, bytes: impl Into<Vec<u8>>, end: bool) {
        if let Some((vm, context)) = self.vm_of(stream) {
            let piece = Piece::Body { bytes: bytes.into(), end };
            vm.arrive(context, Direction::Request, piece);
        }
    }

    /// The trailers, and with them the end, of an [`unfinished`](Request::unfinished) request.
    pub fn send_trailers(&mut self, stream: StreamId, trailers: HeaderMap) {
        let Some((vm, context)) = self.vm_of(stream) else { return };
        let Some(exchange) = vm.http(context) else { return };
        exchange.request.trailers = trailers;
        vm.arrive(context, Direction::Request, Piece::Trailers);
    }

    /// Lets everything happen that is going to, however long it takes, but for timers.
    pub fn settle(&mut self) {
        loop {
            let Some(next) = self.world.borrow().events.next_but_ticks() else { return };
            self.run_until(next);
        }
    }

    /// Lets time pass; timers fire.
    pub fn advance(&mut self, wait: Duration) {
        let until = self.world.borrow().now.after(wait);
        self.run_until(until);
    }

    fn run_until(&mut self, until: Instant) {
        loop {
            let due = self.world.borrow_mut().events.next_due(until);
            let Some(due) = due else { break };
            {
                let mut world = self.world.borrow_mut();
                world.now = world.now.max(due.at);
            }
            let mut vms = self.groups.iter_mut().flat_map(|group| &mut group.vms);
            if let Some(vm) = vms.find(|vm| vm.number() == due.vm) {
                vm.happen(due.event);
            }
        }
        let mut world = self.world.borrow_mut();
        world.now = world.now.max(until);
    }

    /// The guest goes away: its stream is destroyed where it stands. Callouts live on.
    pub fn cancel(&mut self, stream: StreamId) {
        if let Some((vm, context)) = self.vm_of(stream) {
            vm.write(What::StreamReset { stream });
            vm.end_stream(context, Ending::Reset);
        }
    }

    /// How a request is doing.
    pub fn outcome(&self, stream: StreamId) -> Outcome {
        let world = self.world.borrow();
        if let Some(ended) = world.ended.get(&stream) {
            return Outcome::of(ended);
        }
        let place = self.streams.get(&stream);
        let vm = place.and_then(|at| self.groups.get(at.group)?.vms.get(at.worker));
        let live = vm.and_then(|vm| vm.store.data().http(place?.context));
        match live {
            Some(stream) => Outcome::of(stream),
            // Its VM was replaced under it.
            None => Outcome::of(&HttpStream::new(
                stream,
                Leg::default(),
                crate::Upstream::default(),
                Properties::default(),
            )),
        }
    }

    /// Lets go of what is kept of a stream that is over, in long simulations.
    pub fn forget(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
        self.world.borrow_mut().ended.remove(&stream);
    }

    /// Sends a request and lets everything happen: the common case.
    pub fn exchange(&mut self, request: Request) -> Outcome {
        let stream = self.send(request);
        self.settle();
        self.outcome(stream)
    }

    pub fn now(&self) -> Instant {
        self.world.borrow().now
    }

    pub fn transcript(&self) -> Ref<'_, Transcript> {
        Ref::map(self.world.borrow(), |world| &world.transcript)
    }

    /// Replaces a cluster's script, or adds a cluster.
    pub fn set_cluster(&mut self, name: &str, cluster: Cluster) {
        self.world.borrow_mut().clusters.insert(name, cluster);
    }

    /// What a cluster was asked over HTTP.
    pub fn callouts(&self, cluster: &str) -> Vec<CalloutRequest> {
        let world = self.world.borrow();
        world.clusters.get(cluster).map(|cluster| cluster.asked.clone()).unwrap_or_default()
    }

    /// What a cluster was asked over gRPC.
    pub fn grpc_callouts(&self, cluster: &str) -> Vec<GrpcRequest> {
        let world = self.world.borrow();
        world.clusters.get(cluster).map(|cluster| cluster.grpc_asked.clone()).unwrap_or_default()
    }

    /// A metric by its name, without Envoy's prefix `wasmcustom.`.
    pub fn metric(&self, kind: MetricKind, name: &str) -> Option<u64> {
        self.world.borrow().stats.value(kind, name)
    }

    pub fn metrics(&self) -> Vec<(MetricKind, String, u64)> {
        let world = self.world.borrow();
        world.stats.iter().map(|(kind, name, value)| (kind, name.to_owned(), value)).collect()
    }

    /// Every entry of shared data: `vm_id`, key, value.
    pub fn shared_data(&self) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let world = self.world.borrow();
        let entries = world.shared_data.iter();
        entries.map(|(id, key, value)| (id.to_owned(), key.to_vec(), value.to_vec())).collect()
    }

    /// Bytes of linear memory, all VMs together.
    pub fn memory(&self) -> usize {
        let vms = self.groups.iter().flat_map(|group| &group.vms);
        vms.filter_map(|vm| Some(vm.store.data().memory?.data_size(&vm.store))).sum()
    }

    /// VMs that have failed and not been replaced.
    pub fn failed_vms(&self) -> usize {
        self.groups.iter().flat_map(|group| &group.vms).filter(|vm| vm.failed.is_some()).count()
    }

    /// Looks for what nobody will ever end, and returns everything a well-behaved module would not
    /// have done.
    pub fn finish(&mut self) -> Vec<Violation> {
        let mut leaks = Vec::new();
        for vm in self.groups.iter().flat_map(|group| &group.vms) {
            for (id, context) in &vm.store.data().contexts {
                match &context.kind {
                    Kind::Http(stream) => leaks.extend(never_resumed(stream)),
                    Kind::Root(root) => leaks.extend(
                        root.callouts
                            .keys()
                            .map(|token| Violation::LeakedCallout { root: *id, token: *token }),
                    ),
                    Kind::Connection(_) => {}
                }
            }
        }
        let mut world = self.world.borrow_mut();
        leaks.into_iter().for_each(|leak| world.violation(0, leak));
        world.transcript.violations().cloned().collect()
    }

    /// Shuts every VM down: `on_done` and `on_delete` for each root context.
    pub fn shutdown(&mut self) {
        for vm in self.groups.iter_mut().flat_map(|group| &mut group.vms) {
            for root in vm.roots.clone() {
                let said = vm.call(root, "proxy_on_done", |c| c.done.clone(), (root,));
                if let (Called::Returned(0, _), Some(owner)) =
                    (said, vm.store.data_mut().root_mut(root))
                {
                    owner.done_pending = true;
                } else {
                    vm.call(root, "proxy_on_delete", |c| c.delete.clone(), (root,));
                    vm.store.data_mut().contexts.remove(&root);
                }
            }
        }
    }

    /// A fresh VM in place of a failed one, where the policy and the back-off allow it.
    fn reload_if_due(&mut self, group: usize, worker: usize) {
        let now = self.now();
        let Some(Group { setup, vms }) = self.groups.get_mut(group) else { return };
        let Some(vm) = vms.get_mut(worker) else { return };
        let policy = setup.plugins.first().map(|plugin| plugin.fail_policy);
        if let (Some(FailPolicy::Reload { backoff }), Some(_)) = (policy, &vm.failed)
            && now >= vm.started.after(backoff)
            && let Ok(fresh) = Vm::start(setup, vm.number())
        {
            *vm = fresh;
        }
    }

    fn find_plugin(&self, name: Option<&str>) -> Option<(usize, usize)> {
        let groups = self.groups.iter().enumerate();
        let mut plugins = groups.flat_map(|(group, of)| {
            let plugins = of.setup.plugins.iter().enumerate();
            plugins.map(move |(index, plugin)| (group, index, plugin))
        });
        let wanted = plugins.find(|(_, _, plugin)| name.is_none_or(|name| plugin.name == name));
        wanted.map(|(group, index, _)| (group, index))
    }

    fn vm(&mut self, group: usize, worker: usize) -> Option<&mut Vm> {
        self.groups.get_mut(group)?.vms.get_mut(worker)
    }

    fn vm_of(&mut self, stream: StreamId) -> Option<(&mut Vm, u32)> {
        let Place { group, worker, context } = *self.streams.get(&stream)?;
        self.vm(group, worker).map(|vm| (vm, context))
    }
}

/// TCP connections.
impl Host {
    /// A connection through the first plugin, on the first worker.
    pub fn connect(&mut self, properties: Properties) -> Option<ConnectionId> {
        let (group, plugin) = self.find_plugin(None)?;
        let vm = self.vm(group, 0)?;
        let root = vm.roots.get(plugin).copied()?;
        let context = vm.open_connection(root, properties);
        Some(ConnectionId(Place { group, worker: 0, context }))
    }

    /// Bytes from the guest.
    pub fn guest_sends(&mut self, ConnectionId(at): ConnectionId, bytes: &[u8], end: bool) {
        if let Some(vm) = self.vm(at.group, at.worker) {
            vm.downstream_bytes(at.context, bytes, end);
        }
    }

    /// Bytes from the upstream.
    pub fn upstream_sends(&mut self, ConnectionId(at): ConnectionId, bytes: &[u8], end: bool) {
        if let Some(vm) = self.vm(at.group, at.worker) {
            vm.upstream_bytes(at.context, bytes, end);
        }
    }

    pub fn disconnect(&mut self, ConnectionId(at): ConnectionId, peer: Peer) {
        if let Some(vm) = self.vm(at.group, at.worker) {
            vm.connection_closes(at.context, peer);
        }
    }

    pub fn connection(&mut self, ConnectionId(at): ConnectionId) -> ConnectionView {
        let vm = self.vm(at.group, at.worker);
        let connection = vm.and_then(|vm| vm.store.data_mut().connection_mut(at.context));
        connection.map(|connection| connection.view()).unwrap_or_default()
    }
}

// === impl Group ===

impl Group {
    pub fn new(setup: VmSetup) -> Self {
        Self { setup, vms: Vec::new() }
    }
}

fn never_resumed(stream: &HttpStream) -> Option<Violation> {
    let id = stream.id;
    let held = |leg: &Leg| leg.is_held() && !leg.complete;
    let leg = match (held(&stream.request), held(&stream.response)) {
        (true, _) => "request",
        (_, true) => "response",
        _ => return None,
    };
    Some(Violation::NeverResumed { stream: id, leg })
}
