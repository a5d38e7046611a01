//! The held streams: whose flight is under way, and whose has landed.
//!
//! A guest decides how many streams it opens and resets, so every operation costs the logarithm of the number
//! of held streams, whatever their order.

use edge::exchange::Wait;
use edge::ids::FlightId;
use edge::state::flights::Landed;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Each held stream is in one of the two queues, once.
#[derive(Default)]
pub struct Waiting {
    streams: BTreeMap<u32, Queued>,
    flying: BTreeMap<FlightId, BTreeSet<u32>>,
    /// By the turn of each stream.
    landed: BTreeMap<u64, u32>,
    last_turn: u64,
}

/// Where a stream is, with its wait.
enum Queued {
    Flying(Wait),
    Landed { turn: u64, wait: Wait, landed: Option<Rc<Landed>> },
}

/// A stream, its wait, and what that was for; `None` where nothing will come.
type Settling = (u32, Wait, Option<Rc<Landed>>);

// === impl Waiting ===

impl Waiting {
    pub fn join(&mut self, stream: u32, wait: Wait) {
        self.leave(stream);
        self.flying.entry(wait.flight()).or_default().insert(stream);
        self.streams.insert(stream, Queued::Flying(wait));
    }

    /// What had come for it, and it did not get any more.
    pub fn leave(&mut self, stream: u32) -> Option<Rc<Landed>> {
        match self.streams.remove(&stream)? {
            Queued::Flying(wait) => {
                let flight = wait.flight();
                let waits = self.flying.get_mut(&flight)?;
                waits.remove(&stream);
                if waits.is_empty() {
                    self.flying.remove(&flight);
                }
                None
            }
            Queued::Landed { turn, landed, .. } => {
                self.landed.remove(&turn);
                landed
            }
        }
    }

    /// Gives it back where nobody waits for it.
    pub fn land(&mut self, landed: Landed) -> Option<Landed> {
        let Some(streams) = self.flying.remove(&landed.flight()) else { return Some(landed) };
        let landed = Rc::new(landed);
        for stream in streams {
            self.queue_landed(stream, Some(Rc::clone(&landed)));
        }
        None
    }

    /// Nothing that is under way will serve anybody.
    pub fn give_up(&mut self) {
        for stream in std::mem::take(&mut self.flying).into_values().flatten() {
            self.queue_landed(stream, None);
        }
    }

    pub fn next_landed(&mut self) -> Option<Settling> {
        while let Some((_, stream)) = self.landed.pop_first() {
            if let Some(Queued::Landed { wait, landed, .. }) = self.streams.remove(&stream) {
                return Some((stream, wait, landed));
            }
        }
        None
    }

    pub fn has_landed(&self) -> bool {
        !self.landed.is_empty()
    }

    fn queue_landed(&mut self, stream: u32, landed: Option<Rc<Landed>>) {
        let Some(Queued::Flying(wait)) = self.streams.remove(&stream) else { return };
        self.last_turn += 1;
        let turn = self.last_turn;
        self.landed.insert(turn, stream);
        self.streams.insert(stream, Queued::Landed { turn, wait, landed });
    }
}
