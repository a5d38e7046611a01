//! The common parts of both stores' feeds: how much they keep, and how a reader waits.

use super::LedgerFault;
use super::cursor::Cursor;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// Changes that are kept for readers that come back; older ones get the whole state.
pub(super) const KEPT: i64 = 10_000;

/// A reader that has caught up. Made before it looks, so that no change falls between.
pub(super) struct Watch {
    /// Signals each change that this process sees.
    pub(super) changed: watch::Receiver<()>,
    /// How soon a reader finds a change without a signal.
    pub(super) look: Duration,
}

// === impl Watch ===

impl Watch {
    /// As [`super::Revocations::wait`]; `newest` returns the cursor of a reader that has every change.
    pub(super) async fn wait<F>(
        mut self,
        cursor: &str,
        at_most: Duration,
        newest: impl Fn() -> F + Send,
    ) -> Result<(), LedgerFault>
    where
        F: Future<Output = Result<Cursor, LedgerFault>> + Send,
    {
        let Some(cursor) = Cursor::parse(cursor) else { return Ok(()) };
        let end = Instant::now() + at_most;
        while newest().await? == cursor {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            // The time is up, or somebody was told: another look says what it was.
            let _ = timeout(left.min(self.look), self.changed.changed()).await;
        }
        Ok(())
    }
}
