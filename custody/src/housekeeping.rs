//! What the ledger need not remember any more is forgotten.

use custody_backends::resolver::Resolver;
use custody_base::clock::Clock;
use custody_ledger::{Ledger, LedgerFault};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(60);
/// Between two looks for tokens that have ended.
const SWEEP: Duration = Duration::from_secs(1);
/// How long leases and sessions are kept after their end, in seconds. A session that was last seen
/// longer ago begins anew, so this is longer than any idle limit.
const KEPT: u64 = 2 * 24 * 60 * 60;

/// Forgets, again and again, until `stop`. Several replicas may do so at once.
pub async fn keep(ledger: Arc<dyn Ledger>, clock: Clock, mut stop: watch::Receiver<bool>) {
    loop {
        match forget(&*ledger, clock()).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "forgotten"),
            Err(fault) => tracing::warn!(%fault, "failed to delete expired rows of the ledger"),
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Has backends end what they keep and may not give any more, again and again, until `stop`.
pub async fn sweep(resolver: Arc<Resolver>, mut stop: watch::Receiver<bool>) {
    loop {
        resolver.sweep().await;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(SWEEP) => {}
        }
    }
}

async fn forget(ledger: &dyn Ledger, now: u64) -> Result<u64, LedgerFault> {
    let mut forgotten = ledger.forget_revocations(now).await?;
    // A part at a time: whoever wants a lease comes in between.
    loop {
        match ledger.forget(now.saturating_sub(KEPT)).await? {
            0 => return Ok(forgotten),
            some => forgotten += some,
        }
    }
}
