//! Every context of the VM, and which of them an event is for.
//!
//! An event for a context that is not there (any more) changes nothing, or denies. An answer goes to
//! whoever waits for its token, [as the root](crate::callouts); to act on a stream then, or in a tick,
//! it has to be made the effective context first, and the host may refuse that. What could not be said
//! to a stream is said again at the next tick.

use crate::callouts::{Callouts, InFlight, Received};
use crate::flow::Flow;
use crate::host::Failed;
use crate::root::Root;
use crate::stream::{self, Step, Stream};
use edge::callout::{Answer, Purpose};
use edge::denial::Denial;
use std::collections::BTreeMap;

/// All that lives in one VM, by the host's numbers.
#[derive(Default)]
pub struct Dispatch {
    roots: BTreeMap<u32, Root>,
    streams: BTreeMap<u32, Stream>,
    callouts: Callouts,
    /// Streams whose denial the host would not take.
    unsaid: Vec<u32>,
}

/// Streams that are settled in one callback. Each of them goes its whole way before that is over; the
/// others have their turn in the next, milliseconds later.
const BATCH: usize = 256;

// === impl Dispatch ===

impl Dispatch {
    pub const fn new() -> Self {
        Self {
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            callouts: Callouts::new(),
            unsaid: Vec::new(),
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
        self.roots.get_mut(&root).is_some_and(|root| root.configure(size))
    }

    /// `end`: nothing follows the headers.
    pub fn request_headers(&mut self, id: u32, end: bool) -> Flow {
        if self.streams.get(&id).is_some_and(|stream| self.is_attempt(stream)) {
            return self.attempt(id);
        }
        let flow = self.step(id, |stream, root| stream.request_headers(end, root));
        flow.unwrap_or_else(|| {
            stream::refuse_unknown();
            Flow::Stop
        })
    }

    fn is_attempt(&self, stream: &Stream) -> bool {
        self.roots.get(&stream.root()).is_some_and(Root::is_for_attempts)
    }

    /// A request behind the router. Who judged it, in the same VM, has its lease; without a ticket it
    /// needs none.
    fn attempt(&mut self, id: u32) -> Flow {
        let Some(stream) = self.streams.get_mut(&id) else { return Flow::Stop };
        match stream.find_ticket() {
            Ok(false) => Flow::Continue,
            Ok(true) => self.step(id, Stream::attempt).unwrap_or_else(|| {
                stream::refuse_unknown();
                Flow::Stop
            }),
            Err(failed) => {
                stream::refuse(failed);
                Flow::Stop
            }
        }
    }

    /// `size`: bytes of the body that Envoy holds, or, where it holds none, that came now.
    pub fn request_body(&mut self, id: u32, size: usize, end: bool) -> Flow {
        match self.streams.get(&id).map(Stream::request_flow) {
            Some(None) => self.reading(id, |stream, root| stream.request_body(size, end, root)),
            Some(Some(flow)) => flow,
            None => Flow::Gather,
        }
    }

    pub fn request_trailers(&mut self, id: u32) -> Flow {
        if let Err(failed) = stream::drop_trailers() {
            return self.reading(id, |stream, root| stream.refuse_trailers(failed, root));
        }
        match self.streams.get(&id).map(Stream::request_flow) {
            Some(None) => self.reading(id, Stream::request_end),
            Some(Some(flow)) => flow,
            None => Flow::Gather,
        }
    }

    /// What a body callback comes to in which a request may get its verdict.
    fn reading(&mut self, id: u32, event: impl FnOnce(&mut Stream, &mut Root) -> Step) -> Flow {
        match self.step(id, event) {
            Some(Flow::Continue) => Flow::Continue,
            _ => Flow::Gather,
        }
    }

    /// A stream's own event, and what follows from it. `None`: there is no such stream.
    fn step(
        &mut self,
        id: u32,
        event: impl FnOnce(&mut Stream, &mut Root) -> Step,
    ) -> Option<Flow> {
        let Self { roots, streams, unsaid, .. } = self;
        let stream = streams.get_mut(&id)?;
        let root_id = stream.root();
        let root = roots.get_mut(&root_id)?;
        let step = event(stream, root);
        let flow = step.flow();
        follow(step, id, root, unsaid);
        if root.has_work() {
            self.go_on(root_id);
        }
        Some(flow)
    }

    /// A callout has been answered. `headers` is 0 if its connection was reset; `body` is in bytes.
    pub fn answered(&mut self, token: u32, headers: usize, body: usize) {
        let Some(InFlight { root, purpose, .. }) = self.callouts.answered(token) else { return };
        let received = Received::read(purpose, headers, body);
        let answer = match &received {
            Ok(Some(Received { status, body })) => Answer::Response { status: *status, body },
            Ok(None) => Answer::Reset,
            Err(failed) => Answer::NotSent(stream::internal(*failed).denial()),
        };
        self.over(root, purpose, answer);
        self.go_on(root);
    }

    /// Ends what nothing else has ended.
    pub fn tick(&mut self, id: u32) {
        let Some(root) = self.roots.get_mut(&id) else { return };
        if root.is_for_attempts() {
            // A timer that another root's work has set while this one's callback ran.
            for judge in self.roots.keys().copied().collect::<Vec<_>>() {
                self.go_on(judge);
            }
            return;
        }
        let now = root.tick();
        for unsaid in std::mem::take(&mut self.unsaid) {
            self.act_on(unsaid, |stream, _| stream.say_again());
        }
        let late = |(own, stream): (&u32, &Stream)| stream.is_overdue(id, now).then_some(*own);
        for late in self.streams.iter().filter_map(late).collect::<Vec<_>>() {
            self.act_on(late, Stream::give_up);
        }
        while let Some(InFlight { root, purpose, .. }) = self.callouts.overdue(id, now) {
            log::error!("leasehold: a callout was never answered");
            self.over(root, purpose, Answer::NotSent(Denial::CustodyTimeout));
        }
        self.go_on(id);
    }

    pub fn delete(&mut self, context: u32) {
        if let Some(mut stream) = self.streams.remove(&context) {
            let root = stream.root();
            let Some(own) = self.roots.get_mut(&root) else { return };
            stream.end(own);
            if own.has_work() {
                self.go_on(root);
            }
        } else if self.roots.remove(&context).is_some() {
            self.callouts.forget(context);
        }
    }

    /// A callout is over. What it brought is kept whether or not anybody still waits for it.
    fn over(&mut self, root: u32, purpose: Purpose, answer: Answer<'_>) {
        if let Some(root) = self.roots.get_mut(&root) {
            root.answered(purpose, answer);
        }
    }

    /// What follows from an event: callouts, and whoever has waited long enough has its turn.
    fn go_on(&mut self, id: u32) {
        self.send_callouts(id);
        for _ in 0..BATCH {
            let settled = self.roots.get_mut(&id).and_then(Root::next_settled);
            let Some((stream, verdict)) = settled else { break };
            self.act_on(stream, |stream, root| stream.conclude(verdict, root));
        }
        // Who waited for keys may need a lease now, and custody may be to hear of one.
        self.send_callouts(id);
        if let Some(root) = self.roots.get_mut(&id) {
            root.pace();
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
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(root) = self.roots.get_mut(&stream.root()) else { return };
        follow(act(stream, root), id, root, &mut self.unsaid);
    }
}

fn follow(step: Step, stream: u32, root: &mut Root, unsaid: &mut Vec<u32>) {
    match step {
        Step::Wait(wait) => root.hold(stream, wait),
        Step::Unsaid => unsaid.push(stream),
        Step::Forward | Step::Read | Step::Hold => {}
    }
}

fn not_sent(failed: Failed) -> Denial {
    match failed {
        Failed::BAD_ARGUMENT => Denial::CustodyUnknownCluster,
        _ => Denial::CustodyUnavailable,
    }
}
