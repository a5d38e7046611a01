//! Both clocks of the host, for the price of one.

use edge::Now;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Reads the steady clock at each event, and the wall clock at each tick of the root: so a moment
/// costs one host call, and a change of the wall clock arrives within a tick.
pub struct Clock {
    started: Instant,
    set_at: Instant,
    wall: Duration,
}

// === impl Clock ===

impl Clock {
    pub fn start() -> Self {
        let now = Instant::now();
        Self { started: now, set_at: now, wall: wall() }
    }

    pub fn set(&mut self) {
        self.set_at = Instant::now();
        self.wall = wall();
    }

    pub fn now(&self) -> Now {
        let now = Instant::now();
        Now {
            wall: self.wall.saturating_add(now.saturating_duration_since(self.set_at)),
            steady: now.saturating_duration_since(self.started),
        }
    }
}

/// Before 1970 everything has expired: the end of time denies.
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::MAX)
}
