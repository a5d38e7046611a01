//! Every context of the VM, and which of them an event is for.
//!
//! An event for a context that is not there (any more) changes nothing, or denies. An answer goes to
//! the streams that wait for its token, [as the root](crate::callouts). To act on a stream then, or in a tick,
//! the filter has to make it the effective context first, and the host may reject that. The filter sends a reply
//! that failed again at the next tick.

use crate::callouts::{Callouts, InFlight, Received};
use crate::flow::{Flow, Step};
use crate::headers;
use crate::host::{self, Failed};
use crate::reply;
use crate::root::Root;
use crate::stream::Stream;
use crate::streams::Streams;
use edge::PolicyVersion;
use edge::policy::denial::Denial;
use edge::state::callout::{Answer, Purpose};
use std::collections::BTreeMap;
use std::time::Duration;

/// All that lives in one VM, by the host's numbers.
#[derive(Default)]
pub struct Dispatch {
    roots: BTreeMap<u32, Root>,
    streams: Streams,
    callouts: Callouts,
    /// Streams whose denial the host would not take.
    pending_replies: Vec<u32>,
}

/// Streams that are settled, or given up, in one callback. Each of them goes its whole way before that is over;
/// the others have their turn in the next, milliseconds later.
const BATCH: usize = 256;

// === impl Dispatch ===

impl Dispatch {
    pub const fn new() -> Self {
        Self {
            roots: BTreeMap::new(),
            streams: Streams::new(),
            callouts: Callouts::new(),
            pending_replies: Vec::new(),
        }
    }

    pub fn create(&mut self, context: u32, root: u32) {
        if root == 0 {
            self.roots.insert(context, Root::new());
        } else {
            self.streams.insert(context, Stream::new(context, root));
        }
    }

    pub fn configure(&mut self, root: u32, size: usize) -> bool {
        self.callouts.forget(root);
        let is_configured = self.roots.get_mut(&root).is_some_and(|own| own.configure(size));
        self.find_judges();
        self.note_version(root);
        is_configured
    }

    /// Has every root's requests judged by the newest configuration of its policy.
    fn find_judges(&mut self) {
        let version = |(id, root): (&u32, &Root)| Some((*id, root.version()?.clone()));
        let versions: Vec<(u32, PolicyVersion)> = self.roots.iter().filter_map(version).collect();
        for (id, root) in &mut self.roots {
            let judge = root.version().and_then(|own| {
                let newer = versions.iter().filter(|(_, version)| version.supersedes(own));
                newer.max_by_key(|(id, version)| (version.generation, *id))
            });
            root.set_judge(*id, judge.map(|(id, _)| *id));
        }
    }

    /// Logs what a configuration means for the others of its policy.
    fn note_version(&self, id: u32) {
        let Some(own) = self.roots.get(&id) else { return };
        let Some(version) = own.version() else { return };
        let PolicyVersion { name, generation } = version;
        log::info!("leasehold: policy {name}: generation {generation} is configured");
        if own.judge().is_some() {
            log::error!(
                "leasehold: policy {name}: generation {generation} is older than one that judges; \
                 to go back to it, give it a higher generation"
            );
        }
        let is_other =
            |(root, other): (&u32, &Root)| *root != id && other.version() == Some(version);
        if self.roots.iter().any(is_other) {
            log::warn!(
                "leasehold: policy {name}: generation {generation} is configured twice; \
                 if the policy has changed, raise the generation"
            );
        }
    }

    /// `end`: nothing follows the headers.
    pub fn request_headers(&mut self, id: u32, end: bool) -> Flow {
        if self.streams.get(id).is_some_and(|stream| self.is_attempt(stream)) {
            return self.attempt(id);
        }
        let judge = self.streams.get(id).and_then(|stream| self.roots.get(&stream.root())?.judge());
        if let Some(judge) = judge {
            self.streams.change(id, |stream| stream.set_root(judge));
        }
        match self.step(id, |stream, root| stream.request_headers(end, root)) {
            // The body is dropped as it comes, and the headers stay where they are.
            Some(Flow::Discard) => Flow::StopIteration,
            Some(flow) => flow,
            None => {
                reply::refuse_unknown();
                Flow::Stop
            }
        }
    }

    fn is_attempt(&self, stream: &Stream) -> bool {
        self.roots.get(&stream.root()).is_some_and(Root::is_for_attempts)
    }

    /// A request behind the router. The root that judged it, in the same VM, has its lease; without a ticket it
    /// needs none.
    fn attempt(&mut self, id: u32) -> Flow {
        match self.streams.change(id, Stream::find_ticket) {
            None => Flow::Stop,
            Some(Ok(false)) => Flow::Continue,
            Some(Ok(true)) => self.step(id, Stream::attempt).unwrap_or_else(|| {
                reply::refuse_unknown();
                Flow::Stop
            }),
            Some(Err(failed)) => {
                reply::refuse(failed);
                Flow::Stop
            }
        }
    }

    /// `size`: bytes of the body that Envoy holds, or, where it holds none, that came now.
    pub fn request_body(&mut self, id: u32, size: usize, end: bool) -> Flow {
        match self.streams.get(id).map(Stream::request_flow) {
            Some(None) => self.reading(id, |stream, root| stream.request_body(size, end, root)),
            Some(Some(flow)) => flow,
            None => Flow::StopIteration,
        }
    }

    pub fn request_trailers(&mut self, id: u32) -> Flow {
        if let Err(failed) = headers::drop_trailers() {
            return self.reading(id, |stream, root| stream.refuse_trailers(failed, root));
        }
        match self.streams.get(id).map(Stream::request_flow) {
            Some(None) => self.reading(id, Stream::request_end),
            Some(Some(flow)) => flow,
            None => Flow::StopIteration,
        }
    }

    pub fn response_headers(&self, id: u32) {
        if let Some(links) = self.streams.get(id).and_then(Stream::links) {
            headers::rewrite_links(links);
        }
    }

    /// The result of a body callback in which a request may get its verdict.
    fn reading(&mut self, id: u32, event: impl FnOnce(&mut Stream, &mut Root) -> Step) -> Flow {
        match self.step(id, event) {
            Some(flow @ (Flow::Continue | Flow::Discard)) => flow,
            _ => Flow::StopIteration,
        }
    }

    /// A stream's own event, and what follows from it. `None`: there is no such stream.
    fn step(
        &mut self,
        id: u32,
        event: impl FnOnce(&mut Stream, &mut Root) -> Step,
    ) -> Option<Flow> {
        let Self { roots, streams, pending_replies, .. } = self;
        let stepped = streams.change(id, |stream| {
            let root_id = stream.root();
            let root = roots.get_mut(&root_id)?;
            let step = event(stream, root);
            let flow = step.flow();
            follow(step, id, root, pending_replies);
            Some((flow, root.has_work().then_some(root_id)))
        });
        let (flow, with_work) = stepped.flatten()?;
        if let Some(root) = with_work {
            self.flush(root);
        }
        Some(flow)
    }

    /// A callout has been answered. `headers` is 0 if its connection was reset; `body` is in bytes.
    pub fn answered(&mut self, token: u32, headers: usize, body: usize) {
        let Some(InFlight { root, purpose, .. }) = self.callouts.answered(token) else { return };
        let received = Received::read(purpose, headers, body);
        let answer = match &received {
            Ok(Some(received)) => received.answer(),
            Ok(None) => Answer::Reset,
            Err(failed) => Answer::NotSent(reply::internal(*failed).denial()),
        };
        self.over(root, purpose, answer);
        self.flush(root);
    }

    /// Ends what nothing else has ended.
    pub fn tick(&mut self, id: u32) {
        let Some(root) = self.roots.get_mut(&id) else { return };
        if root.is_for_attempts() {
            // A timer that another root's work has set while this one's callback ran.
            for judge in self.roots.keys().copied().collect::<Vec<_>>() {
                self.flush(judge);
            }
            return;
        }
        if root.is_resting() {
            return;
        }
        if self.rest(id) {
            return;
        }
        let Some(root) = self.roots.get_mut(&id) else { return };
        let now = root.tick();
        for unanswered in std::mem::take(&mut self.pending_replies) {
            self.act_on(unanswered, |stream, _| stream.retry_reply());
        }
        for _ in 0..BATCH {
            let Some(late) = self.streams.take_overdue(id, now.steady) else { break };
            self.act_on(late, |stream, root| stream.give_up(Denial::BodyTimeout, root));
        }
        while let Some(InFlight { root, purpose, .. }) = self.callouts.overdue(id, now) {
            log::error!("leasehold: a callout got no answer");
            self.over(root, purpose, Answer::NotSent(Denial::CustodyTimeout));
        }
        self.flush(id);
    }

    pub fn delete(&mut self, context: u32) {
        if let Some(mut stream) = self.streams.remove(context) {
            let root = stream.root();
            let Some(own) = self.roots.get_mut(&root) else { return };
            stream.end(own);
            if own.has_work() {
                self.flush(root);
            }
        } else if let Some(root) = self.roots.remove(&context) {
            self.callouts.forget(context);
            self.deny_orphans(context, root);
            self.find_judges();
        }
    }

    /// A root whose policy is superseded rests once all is finished that was begun by it.
    fn rest(&mut self, id: u32) -> bool {
        let Self { roots, streams, callouts, .. } = self;
        let Some(root) = roots.get_mut(&id).filter(|root| root.may_rest(root.now())) else {
            return false;
        };
        if callouts.has_in_flight(id) || root.has_held() || streams.is_overdue(id, Duration::MAX) {
            return false;
        }
        root.rest();
        callouts.forget(id);
        true
    }

    /// Streams of other roots that this one judged, and that are still held when it goes.
    fn deny_orphans(&mut self, id: u32, mut root: Root) {
        root.close();
        let Self { streams, pending_replies, .. } = self;
        while let Some((stream, verdict)) = root.next_settled() {
            let step = streams.change(stream, |held| held.finish_wait(verdict, &mut root));
            step.into_iter().for_each(|step| follow(step, stream, &mut root, pending_replies));
        }
        while let Some(stream) = streams.take_overdue(id, Duration::MAX) {
            let step =
                streams.change(stream, |held| held.give_up(Denial::NotConfigured, &mut root));
            step.into_iter().for_each(|step| follow(step, stream, &mut root, pending_replies));
        }
    }

    /// A callout is over. The root keeps its result also if no stream waits for it any more.
    fn over(&mut self, root: u32, purpose: Purpose, answer: Answer<'_>) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.answered(purpose, answer);
        }
    }

    /// Does what follows from an event: sends callouts, and settles streams whose wait is over.
    fn flush(&mut self, id: u32) {
        self.become_root(id);
        self.send_callouts(id);
        for _ in 0..BATCH {
            let settled = self.roots.get_mut(&id).and_then(Root::next_settled);
            let Some((stream, verdict)) = settled else { break };
            self.act_on(stream, |stream, root| stream.finish_wait(verdict, root));
        }
        self.become_root(id);
        // Who waited for keys may need a lease now, and custody may be to hear of one.
        self.send_callouts(id);
        if let Some(root) = self.roots.get_mut(&id) {
            let is_late = self.streams.is_overdue(id, root.ticked_at());
            root.set_tick_period(is_late);
        }
    }

    /// Callouts and timers are those of the effective context's root. Where a VM has several roots, that
    /// may be another than the one that judged.
    fn become_root(&self, id: u32) {
        if self.roots.len() > 1
            && let Err(Failed(status)) = host::set_effective_context(id)
        {
            log::error!("leasehold: failed to act as a root context: status {status}");
        }
    }

    fn send_callouts(&mut self, id: u32) {
        let Some(root) = self.roots.get_mut(&id) else { return };
        let callouts = root.take_callouts();
        if callouts.is_empty() {
            return;
        }
        let now = root.now();
        for callout in callouts {
            root.metrics.count_callout(callout.purpose);
            if let Err(failed) = self.callouts.send(id, now, &callout) {
                root.answered(callout.purpose, Answer::NotSent(not_sent(failed)));
            }
        }
    }

    /// Does something to a stream outside its own callbacks.
    fn act_on(&mut self, id: u32, act: impl FnOnce(&mut Stream, &mut Root) -> Step) {
        let Self { roots, streams, pending_replies, .. } = self;
        streams.change(id, |stream| {
            if let Some(root) = roots.get_mut(&stream.root()) {
                follow(act(stream, root), id, root, pending_replies);
            }
        });
    }
}

fn follow(step: Step, stream: u32, root: &mut Root, pending_replies: &mut Vec<u32>) {
    match step {
        Step::Wait(wait) => root.hold(stream, wait),
        Step::ReplyPending => pending_replies.push(stream),
        Step::Forward | Step::Read | Step::Discard | Step::Hold => {}
    }
}

fn not_sent(failed: Failed) -> Denial {
    match failed {
        Failed::BAD_ARGUMENT => Denial::CustodyUnknownCluster,
        _ => Denial::CustodyUnavailable,
    }
}
