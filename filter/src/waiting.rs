//! The held streams: whose flight is under way, and whose has landed.
//!
//! A guest decides how many streams it opens and resets, so every operation costs the logarithm of the number
//! of held streams, whatever their order. No flight keeps the streams of another one waiting: those that have
//! landed take turns, a stream each.

use edge::exchange::Wait;
use edge::ids::FlightId;
use edge::state::flights::Landed;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Each held stream is in the group of its flight, or given up.
#[derive(Default)]
pub struct Waiting {
    streams: BTreeMap<u32, Wait>,
    /// None is empty.
    groups: BTreeMap<FlightId, Group>,
    /// Whose turn it is next. Groups whose streams have all left may stand in it.
    landed: VecDeque<FlightId>,
    /// Nothing will come for these.
    given_up: BTreeSet<u32>,
}

/// The streams that wait for one flight, and what came once it has landed.
#[derive(Default)]
struct Group {
    streams: BTreeSet<u32>,
    landed: Option<Rc<Landed>>,
}

/// A stream, its wait, and what that was for; `None` where nothing will come.
type Settling = (u32, Wait, Option<Rc<Landed>>);

// === impl Waiting ===

impl Waiting {
    pub fn join(&mut self, stream: u32, wait: Wait) {
        self.leave(stream);
        self.groups.entry(wait.flight()).or_default().streams.insert(stream);
        self.streams.insert(stream, wait);
    }

    /// What had come for it, and it did not get any more.
    pub fn leave(&mut self, stream: u32) -> Option<Rc<Landed>> {
        let wait = self.streams.remove(&stream)?;
        if self.given_up.remove(&stream) {
            return None;
        }
        self.leave_group(wait.flight(), stream)
    }

    /// Gives it back where nobody waits for it.
    pub fn land(&mut self, landed: Landed) -> Option<Landed> {
        let flight = landed.flight();
        let Some(group) = self.groups.get_mut(&flight) else { return Some(landed) };
        group.landed = Some(Rc::new(landed));
        self.landed.push_back(flight);
        None
    }

    /// Nothing that is under way, or has landed, will serve anybody.
    pub fn give_up(&mut self) {
        self.groups.clear();
        self.landed.clear();
        self.given_up = self.streams.keys().copied().collect();
    }

    /// One whose wait is over.
    pub fn next_landed(&mut self) -> Option<Settling> {
        if let Some(stream) = self.given_up.pop_first() {
            return Some((stream, self.streams.remove(&stream)?, None));
        }
        while let Some(flight) = self.landed.pop_front() {
            let first = self.groups.get(&flight).and_then(|group| group.streams.first().copied());
            let Some(stream) = first else { continue };
            let landed = self.leave_group(flight, stream);
            if self.groups.contains_key(&flight) {
                self.landed.push_back(flight);
            }
            return Some((stream, self.streams.remove(&stream)?, landed));
        }
        None
    }

    pub fn has_held(&self) -> bool {
        !self.streams.is_empty()
    }

    pub fn has_landed(&self) -> bool {
        !self.landed.is_empty() || !self.given_up.is_empty()
    }

    /// What has come for its flight.
    fn leave_group(&mut self, flight: FlightId, stream: u32) -> Option<Rc<Landed>> {
        let group = self.groups.get_mut(&flight)?;
        group.streams.remove(&stream);
        let landed = group.landed.clone();
        if group.streams.is_empty() {
            self.groups.remove(&flight);
        }
        landed
    }
}
