//! The held streams: whose flight is under way, and whose has landed.

use edge::exchange::Wait;
use edge::flights::{FlightId, Landed};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// Each held stream is in one of the two, once.
#[derive(Default)]
pub struct Waiting {
    flying: BTreeMap<FlightId, BTreeMap<u32, Wait>>,
    landed: VecDeque<Settling>,
}

/// A stream, its wait, and what that was for; `None` where nothing will come.
type Settling = (u32, Wait, Option<Rc<Landed>>);

// === impl Waiting ===

impl Waiting {
    pub fn join(&mut self, stream: u32, wait: Wait) {
        self.flying.entry(wait.flight()).or_default().insert(stream, wait);
    }

    /// What had come for it, and it did not get any more.
    pub fn leave(&mut self, stream: u32) -> Option<Rc<Landed>> {
        self.flying.retain(|_, waits| {
            waits.remove(&stream);
            !waits.is_empty()
        });
        let at = self.landed.iter().position(|(own, ..)| *own == stream)?;
        self.landed.remove(at)?.2
    }

    /// Gives it back where nobody waits for it.
    pub fn land(&mut self, landed: Landed) -> Option<Landed> {
        let Some(waits) = self.flying.remove(&landed.flight()) else { return Some(landed) };
        let landed = Rc::new(landed);
        let settling =
            waits.into_iter().map(|(stream, wait)| (stream, wait, Some(Rc::clone(&landed))));
        self.landed.extend(settling);
        None
    }

    /// Nothing that is under way will serve anybody.
    pub fn give_up(&mut self) {
        let waits = std::mem::take(&mut self.flying).into_values().flatten();
        self.landed.extend(waits.map(|(stream, wait)| (stream, wait, None)));
    }

    pub fn next_landed(&mut self) -> Option<Settling> {
        self.landed.pop_front()
    }

    pub fn has_landed(&self) -> bool {
        !self.landed.is_empty()
    }
}
