//! The host's two clocks.

use std::time::Duration;

/// Seconds since the Unix epoch, whole (RFC 7519 `NumericDate`).
pub type UnixSeconds = u64;

/// The current time, by both clocks of the host. Dates are compared with the wall clock; durations are
/// measured with the steady clock, which cannot be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since the Unix epoch.
    pub wall: Duration,
    /// Since a beginning of the host's choice; never goes back.
    pub steady: Duration,
}

// === impl Now ===

impl Now {
    pub fn unix(self) -> UnixSeconds {
        self.wall.as_secs()
    }

    /// How long until that date; zero if it has passed.
    pub fn until(self, date: UnixSeconds) -> Duration {
        Duration::from_secs(date).saturating_sub(self.wall)
    }
}
