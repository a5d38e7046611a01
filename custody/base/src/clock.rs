//! The one place that asks the clock.

use lease::UnixSeconds;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time. A value, so that a test can set the time.
pub type Clock = Arc<dyn Fn() -> UnixSeconds + Send + Sync>;

/// Seconds since the Unix epoch, rounded down. A clock before 1970 reads as 0, at which every
/// session is not yet valid, so nothing is leased.
pub fn now() -> UnixSeconds {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The machine's own.
pub fn system() -> Clock {
    Arc::new(now)
}
