//! What is going to happen, in order of time and then of being scheduled.

use crate::clock::Instant;
use crate::script::{CalloutResponse, GrpcEvent};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Everything a worker's event loop would wake up for.
#[derive(Debug)]
pub(crate) enum Event {
    /// The upstream of an HTTP stream answers.
    Upstream {
        context: u32,
    },
    /// More of its body.
    UpstreamBody {
        context: u32,
        bytes: Vec<u8>,
        end: bool,
    },
    /// A callout ends; `None` is a reset.
    Callout {
        root: u32,
        token: u32,
        response: Option<Box<CalloutResponse>>,
    },
    Grpc {
        root: u32,
        token: u32,
        event: GrpcEvent,
    },
    Tick {
        root: u32,
        generation: u64,
    },
    Queue {
        root: u32,
        token: u32,
    },
}

/// An event, and the VM whose thread it happens on.
#[derive(Debug)]
pub(crate) struct Scheduled {
    pub at: Instant,
    pub vm: usize,
    pub event: Event,
    order: u64,
}

/// The queue of one simulation.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
}

// === impl Events ===

impl Events {
    pub fn schedule(&mut self, at: Instant, vm: usize, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse(Scheduled { at, vm, event, order: self.scheduled }));
    }

    /// The next event that is due by `until`.
    pub fn next_due(&mut self, until: Instant) -> Option<Scheduled> {
        if self.queue.peek()?.0.at > until {
            return None;
        }
        self.queue.pop().map(|Reverse(scheduled)| scheduled)
    }

    /// When the next event but a tick is due: ticks come for ever.
    pub fn next_but_ticks(&self) -> Option<Instant> {
        let others = self.queue.iter().filter(|one| !matches!(one.0.event, Event::Tick { .. }));
        others.map(|one| one.0.at).min()
    }
}

// === impl Scheduled ===

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}
