//! A value that was read a moment ago.

use std::time::Duration;
use tokio::time::Instant;

/// A value, and when it was asked for.
#[derive(Clone, Debug)]
pub struct Snapshot<T> {
    value: T,
    at: Instant,
}

/// How long a read spares the next one. The ledger checks everything that depends on it when it records the
/// lease.
const FRESH: Duration = Duration::from_millis(100);

// === impl Snapshot ===

impl<T> Snapshot<T> {
    /// `at`: before it was asked for.
    pub const fn new(value: T, at: Instant) -> Self {
        Self { value, at }
    }

    /// The value, if that was only just now.
    pub fn if_fresh(&self) -> Option<&T> {
        (self.at.elapsed() <= FRESH).then_some(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_read_long_ago_is_not_there() {
        let snapshot = Snapshot::new(7, Instant::now());
        assert_eq!(snapshot.if_fresh(), Some(&7));
        tokio::time::advance(FRESH).await;
        assert_eq!(snapshot.if_fresh(), Some(&7));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(snapshot.if_fresh(), None);
    }
}
