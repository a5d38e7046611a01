//! Every context of the VM, and which of them an event is for.
//!
//! An event for a context that is not there (any more) changes nothing, or denies. An answer goes to
//! whoever waits for its token, [as the root](crate::callouts); to act on a stream then, or in a tick,
//! it has to be made the effective context first, and the host may refuse that. What could not be said
//! to a stream is said again at the next tick.

use crate::callouts::{Callout, Callouts, HttpCall, Received, Waiter};
use crate::host::Failed;
use crate::root::Root;
use crate::stream::{self, Step, Stream};
use abi::types::Action;
use edge::denial::Denial;
use edge::exchange::{Answer, AwaitLease};
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

/// Streams ended in one tick. Each local reply runs the whole response path inside our callback.
const BATCH: usize = 64;

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
            self.roots.insert(context, Root::default());
        } else {
            self.streams.insert(context, Stream::new(context, root));
        }
    }

    pub fn configure(&mut self, root: u32, size: usize) -> bool {
        self.roots.get_mut(&root).is_some_and(|root| root.configure(size))
    }

    pub fn request_headers(&mut self, id: u32) -> Action {
        let Self { roots, streams, callouts, unsaid } = self;
        let stream = streams.get_mut(&id);
        let root = stream.as_ref().and_then(|stream| roots.get_mut(&stream.root()));
        let (Some(stream), Some(root)) = (stream, root) else {
            return stream::refuse_unknown();
        };
        let step = match stream.request_headers(root) {
            Step::Ask(wait, lease) => {
                root.metrics.count_callout();
                let asker = (stream.root(), root.ticks());
                let waiter = Waiter::Lease { stream: id, wait };
                match callouts.send(asker, &HttpCall::for_lease(&lease), waiter) {
                    Ok(()) => Step::Hold,
                    Err((failed, Waiter::Lease { wait, .. })) => {
                        stream.deny(wait.abandon(not_sent(failed)), root)
                    }
                }
            }
            step => step,
        };
        if matches!(step, Step::Unsaid) {
            unsaid.push(id);
        }
        step.action()
    }

    pub fn request_body(&self, id: u32) -> Action {
        self.streams.get(&id).map_or(Action::Pause, Stream::request_body)
    }

    pub fn request_trailers(&self, id: u32) -> Action {
        self.streams.get(&id).map_or(Action::Pause, Stream::request_trailers)
    }

    /// A callout has been answered. `headers` is 0 if its connection was reset; `body` is in bytes.
    pub fn answered(&mut self, token: u32, headers: usize, body: usize) {
        let Some(Callout { root, waiter, .. }) = self.callouts.answered(token) else { return };
        let received = Received::read(headers, body);
        let answer = match &received {
            Ok(Some(Received { status, body })) => Answer::Response { status: *status, body },
            Ok(None) => Answer::Reset,
            Err(failed) => Answer::NotSent(stream::internal(*failed).denial()),
        };
        match waiter {
            Waiter::Lease { stream, wait } => self.settle(root, stream, wait, answer),
        }
    }

    /// Ends what nothing else has ended.
    pub fn tick(&mut self, id: u32) {
        let Some(now) = self.roots.get_mut(&id).map(Root::tick) else { return };
        for unsaid in std::mem::take(&mut self.unsaid) {
            self.act_on(unsaid, |stream, _| stream.say_again());
        }
        for _ in 0..BATCH {
            let Some(Callout { root, waiter, .. }) = self.callouts.overdue(id, now) else { return };
            log::error!("leasehold: a callout was never answered");
            match waiter {
                Waiter::Lease { stream, wait } => {
                    self.settle(root, stream, wait, Answer::NotSent(Denial::CustodyTimeout));
                }
            }
        }
    }

    pub fn delete(&mut self, context: u32) {
        if self.streams.remove(&context).is_none() && self.roots.remove(&context).is_some() {
            self.callouts.forget(context);
        }
    }

    /// Custody has decided. Its lease is kept whether or not the stream that asked is still there.
    fn settle(&mut self, root: u32, id: u32, wait: AwaitLease, answer: Answer<'_>) {
        let Some(root) = self.roots.get_mut(&root) else { return };
        let verdict = root.settle(wait, answer);
        self.act_on(id, |stream, root| stream.conclude(verdict, root));
    }

    /// Does something to a stream outside its own callbacks.
    fn act_on(&mut self, id: u32, act: impl FnOnce(&mut Stream, &mut Root) -> Step) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let Some(root) = self.roots.get_mut(&stream.root()) else { return };
        if let Step::Unsaid = act(stream, root) {
            self.unsaid.push(id);
        }
    }
}

fn not_sent(failed: Failed) -> Denial {
    match failed {
        Failed::BAD_ARGUMENT => Denial::CustodyUnknownCluster,
        _ => Denial::CustodyUnavailable,
    }
}
