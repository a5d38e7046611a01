//! What all VMs of one simulation share.

use crate::clock::Instant;
use crate::events::{Event, Events};
use crate::faults::FaultPlan;
use crate::script::{CalloutRequest, Clusters, Foreign};
use crate::shared::{Queues, SharedData};
use crate::stats::Stats;
use crate::stream::{ChainMessage, HttpStream, StreamId};
use crate::strict::Violation;
use crate::transcript::{Transcript, TranscriptEvent};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// The simulated machine around the VMs.
#[derive(Debug, Default)]
pub(crate) struct Simulation {
    pub now: Instant,
    pub started: Instant,
    pub events: Events,
    pub clusters: Clusters,
    /// Callouts that nobody has answered.
    pub held: Vec<HeldCallout>,
    pub shared_data: SharedData,
    pub queues: Queues,
    pub stats: Stats,
    pub faults: FaultPlan,
    /// Foreign functions that are not Envoy's, by name.
    pub foreign: HashMap<String, Foreign>,
    pub transcript: Transcript,
    /// Streams that are over, with each filter of theirs, for whoever asks how it went.
    pub ended: HashMap<StreamId, Vec<HttpStream>>,
    /// What filters of a chain have left for each other.
    pub chain_messages: Vec<ChainMessage>,
    pub random: Random,
}

/// A callout whose cluster keeps its answer back.
#[derive(Debug)]
pub(crate) struct HeldCallout {
    pub vm: usize,
    pub root: u32,
    pub token: u32,
    pub request: CalloutRequest,
}

pub(crate) type SharedSimulation = Rc<RefCell<Simulation>>;

/// SplitMix64: repeatable, and random enough for a guest's hash maps.
#[derive(Debug, Default)]
pub(crate) struct Random(u64);

// === impl Simulation ===

impl Simulation {
    pub fn write(&mut self, vm: usize, what: TranscriptEvent) {
        self.transcript.push(self.now, vm, what);
    }

    pub fn violation(&mut self, vm: usize, violation: Violation) {
        self.write(vm, TranscriptEvent::Violation(violation));
    }

    pub fn schedule(&mut self, wait: Duration, vm: usize, event: Event) {
        self.events.schedule(self.now.after(wait), vm, event);
    }
}

// === impl Random ===

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let word = (z ^ (z >> 31)).to_le_bytes();
            chunk.iter_mut().zip(word).for_each(|(byte, random)| *byte = random);
        }
    }
}
