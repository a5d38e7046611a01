//! From the ledger to the receiver.

use super::back_off::next_try;
use super::webhook::{DeliveryFault, Webhook};
use crate::metrics::Metrics;
use custody_audit::entry::Undelivered;
use custody_audit::{AuditLog, Entry, Event, Outcome};
use custody_base::clock::Clock;
use custody_ledger::{Ledger, LedgerFault, Notice};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Between two looks at the ledger. It is also the shortest back-off.
const PAUSE: Duration = Duration::from_secs(1);
/// Notices on their way at once.
const AT_ONCE: u32 = 8;
/// Seconds for which no other replica takes one that is on its way: longer than a delivery takes.
/// If custody dies meanwhile it is tried again after them.
const BUSY: u64 = 15;

pub(super) struct Delivery {
    pub(super) webhook: Webhook,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) audit: AuditLog,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
    pub(super) stored: Arc<Notify>,
}

// === impl Delivery ===

impl Delivery {
    /// Until `stop`; what is on its way then arrives or is put off first.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.round().await {
                Ok(taken) if taken == AT_ONCE as usize => continue,
                Ok(_) => {}
                Err(fault) => tracing::warn!(%fault, "failed to deliver notices"),
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.stored.notified() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// How many were due.
    async fn round(&self) -> Result<usize, LedgerFault> {
        let now = (self.clock)();
        let due = self.ledger.take_due(now, now.saturating_add(BUSY), AT_ONCE).await?;
        join_all(due.iter().map(|notice| self.settle(notice))).await;
        self.metrics.notices_pending(self.ledger.waiting().await?);
        Ok(due.len())
    }

    async fn settle(&self, notice: &Notice) {
        let id = notice.id.as_str();
        let written = match self.webhook.deliver(notice, (self.clock)()).await {
            Ok(()) => {
                self.metrics.notice_delivered();
                self.ledger.delivered(id).await
            }
            Err(fault) => {
                self.metrics.notice_failed();
                tracing::warn!(id, tries = notice.tries + 1, %fault, "failed to deliver a notice");
                self.again(notice, &fault).await
            }
        };
        if let Err(fault) = written {
            // It comes again when its time is over; the receiver knows it by its id.
            tracing::warn!(id, %fault, "failed to record whether a notice was delivered");
        }
    }

    /// Later, or no more.
    async fn again(&self, notice: &Notice, fault: &DeliveryFault) -> Result<(), LedgerFault> {
        let chance = getrandom::u32().unwrap_or(u32::MAX);
        if let Some(next) = next_try(notice.at, notice.tries, (self.clock)(), chance) {
            return self.ledger.put_off(&notice.id, next).await;
        }
        tracing::error!(id = notice.id, %fault, "gave up a notice");
        // Forgotten only when the audit log has it; else it stays, and is tried once more.
        match self.audit.append(given_up(notice)).await {
            Ok(()) => self.ledger.delivered(&notice.id).await,
            Err(_) => Ok(()),
        }
    }
}

fn given_up(notice: &Notice) -> Entry {
    let Notice { id, at, backend, actor, handle, code, tries, next_try: _ } = notice.clone();
    let mut entry = Entry::new(Event::NoticeGivenUp, Outcome::Note);
    entry.undelivered = Some(Undelivered {
        notice_id: id,
        failed_at: at,
        backend,
        actor,
        handle,
        failure_code: code,
        tries: tries.saturating_add(1),
    });
    entry
}
