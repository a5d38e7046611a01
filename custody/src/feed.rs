//! What edges must know of revocations, and what they tell of sessions: the feed.
//!
//! The ledger speaks of sessions, leases, handles and actors; an edge knows the first three. A
//! revoked actor is told as its handles by the grants in force ([`told`]), so a change of the grants
//! may be news too: the cursor carries a mark of whose handles are which ([`cursor`]), and one of
//! another mark is answered with the whole state.

mod ask;
mod cursor;
mod told;

use crate::clock::Clock;
use crate::grants::{Grants, LiveGrants};
use crate::leasing::SessionLimits;
use crate::ledger::{Change, Feed, Ledger, LedgerFault, Target};
pub use ask::{Ask, AskError};
use cursor::Cursor;
use lease::{SeenReport, SyncAnswer};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// Answers edges.
pub struct EdgeFeed {
    ledger: Arc<dyn Ledger>,
    grants: Arc<LiveGrants>,
    session_limits: SessionLimits,
    clock: Clock,
    closing: watch::Sender<bool>,
}

// === impl EdgeFeed ===

impl EdgeFeed {
    pub fn new(
        ledger: Arc<dyn Ledger>,
        grants: Arc<LiveGrants>,
        session_limits: SessionLimits,
        clock: Clock,
    ) -> Self {
        Self { ledger, grants, session_limits, clock, closing: watch::Sender::new(false) }
    }

    /// Whoever waits is answered now, with nothing new, so that custody can end.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Returns when there is news, or the time the edge gives is up.
    ///
    /// # Errors
    /// The ledger failed. An edge that hears nothing knows that it knows nothing.
    pub async fn answer(&self, ask: &Ask) -> Result<SyncAnswer, LedgerFault> {
        let deadline = Instant::now() + ask.wait;
        // Before the first look, so that no change falls between look and wait.
        let mut reloads = self.grants.subscribe();
        let mut closing = self.closing.subscribe();
        loop {
            let (answer, news) = self.look(ask.cursor.as_deref()).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            if news || left.is_zero() || *closing.borrow_and_update() {
                return Ok(answer);
            }
            let known = Cursor::parse(&answer.cursor).feed.to_owned();
            tokio::select! {
                woken = self.ledger.wait(&known, left) => woken?,
                _ = reloads.changed() => {}
                _ = closing.changed() => {}
            }
        }
    }

    /// Sessions that edges say are in use.
    ///
    /// # Errors
    /// The ledger failed.
    pub async fn seen(&self, report: &SeenReport) -> Result<(), LedgerFault> {
        let now = (self.clock)();
        let asleep = self.session_limits.asleep_since(now);
        self.ledger.seen(&report.sessions, now, asleep).await
    }

    /// The answer as of now, and whether there is anything in it. The kill switch is news that stands
    /// beside the changes.
    async fn look(&self, cursor: Option<&str>) -> Result<(SyncAnswer, bool), LedgerFault> {
        let grants = self.grants.current();
        let mark = cursor::mark(&grants);
        let known = cursor.map(Cursor::parse).filter(|known| known.mark == mark);
        let feed = self.ledger.changes(known.as_ref().map(|known| known.feed)).await?;
        let changes = self.tell(&feed, &grants).await?;
        let answer = SyncAnswer {
            cursor: Cursor { feed: &feed.cursor, mark: &mark }.to_string(),
            full: feed.full,
            kill_switch: feed.kill_switch,
            changes,
        };
        Ok((answer, feed.full || !feed.changes.is_empty()))
    }

    /// A handle may be revoked twice over, for itself and for its actor; what is left of that after
    /// a change, only the whole state says.
    async fn tell(
        &self,
        feed: &Feed,
        grants: &Grants,
    ) -> Result<Vec<lease::SyncChange>, LedgerFault> {
        let about_handles = feed.changes.iter().any(|change| match change {
            Change::Revoked { target, .. } | Change::Restored { target } => {
                matches!(target, Target::Handle(_) | Target::Actor(_))
            }
            Change::KillSwitch { .. } => false,
        });
        if feed.full || !about_handles {
            return Ok(told::whole(&feed.changes, grants));
        }
        let revoked = self.ledger.revoked().await?;
        Ok(told::since(&feed.changes, &revoked, grants))
    }
}
