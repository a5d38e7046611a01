//! The request ends here, and its body is on its way.

use super::denied::{Denied, MAX_DISCARDED};
use crate::clock::Now;
use std::time::Duration;

/// A denied request whose body is read to its end and dropped, so that the client comes to read the reply.
///
/// Most clients send a body whole before they read anything. A reply that comes earlier makes some of them fail
/// with an error of the network.
pub struct DiscardBody {
    denied: Denied,
    length: usize,
    /// When the reply is sent in any case, by the steady clock.
    latest: Duration,
    /// The same if nothing more comes.
    deadline: Duration,
}

/// From the denial to the reply.
const DISCARD_TIME: Duration = Duration::from_secs(30);
/// A client that sends nothing for so long waits for the reply.
const PAUSE: Duration = Duration::from_secs(1);

// === impl DiscardBody ===

impl DiscardBody {
    pub fn new(denied: Denied, now: Now) -> Self {
        let latest = now.steady.saturating_add(DISCARD_TIME);
        Self { denied, length: 0, latest, deadline: now.steady.saturating_add(PAUSE) }
    }

    /// More of the body; `false` where it is too long, and the reply is due.
    pub fn discard(&mut self, size: usize, now: Now) -> bool {
        self.length = self.length.saturating_add(size);
        self.deadline = now.steady.saturating_add(PAUSE).min(self.latest);
        self.length <= MAX_DISCARDED
    }

    /// When the reply is due, by the steady clock.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The body has ended, or its time has.
    pub fn end(self) -> Denied {
        self.denied
    }
}
