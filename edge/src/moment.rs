//! A point in time.

use std::time::Duration;

/// Seconds since the Unix epoch, whole (RFC 7519 `NumericDate`).
pub type UnixSeconds = u64;

/// Now, by both clocks of the host. What ends at a date is looked up on the wall; what lasts a while is
/// measured with the steady clock, which nobody can set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Since the Unix epoch.
    pub wall: Duration,
    /// Since a beginning of the host's choice; never goes back.
    pub steady: Duration,
}

// === impl Moment ===

impl Moment {
    pub fn unix(self) -> UnixSeconds {
        self.wall.as_secs()
    }

    /// How long until that date; zero if it has passed.
    pub fn until(self, date: UnixSeconds) -> Duration {
        Duration::from_secs(date).saturating_sub(self.wall)
    }
}
