//! Time, which moves only when it is told to.

use std::time::Duration;

/// A point in simulated time: nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// 2026-01-01T00:00:00Z, where every simulation begins unless it is told otherwise.
const BEGINNING: u64 = 1_767_225_600;
const NANOS: u64 = 1_000_000_000;

// === impl Instant ===

impl Instant {
    /// Whole seconds since the Unix epoch.
    pub const fn from_unix(seconds: u64) -> Self {
        Self(seconds.saturating_mul(NANOS))
    }

    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    pub const fn unix_seconds(self) -> u64 {
        self.0 / NANOS
    }

    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::from_unix(BEGINNING)
    }
}
