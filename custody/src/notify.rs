//! The failure notifier: it alerts the operator when a backend fails.
//!
//! The audit log has every failure. With a webhook configured, each failure also becomes a notice in the
//! ledger, which a task delivers, signed, until the receiver has taken it or a day is over. A notice holds
//! names out of the configuration, a code of ours and a time: nothing from a backend or a guest.
//!
//! Delivery is at least once; a repetition has the same `webhook-id`. Failures that are alike (backend,
//! actor, handle, code) make one notice a minute. Nothing here holds up a lease or changes its answer: when
//! the ledger is down, the notice is lost, and the log and the audit log have the failure.

mod back_off;
mod dedup;
mod delivery;
mod queue;
mod signature;
mod webhook;

use crate::metrics::Metrics;
use custody_audit::AuditLog;
use custody_backends::LongLived;
use custody_base::clock::Clock;
use custody_base::outbound::ReachFault;
use custody_ledger::Ledger;
pub use dedup::BackendFailure;
use delivery::Delivery;
use queue::NoticeQueue;
pub use queue::Notifier;
pub use signature::SigningSecret;
use std::sync::Arc;
use tokio::sync::{Notify, watch};
use webhook::Webhook;
pub use webhook::WebhookPlace;

/// The parts of the notifier.
pub struct Parts {
    pub ledger: Arc<dyn Ledger>,
    pub secrets: Arc<dyn LongLived>,
    pub audit: AuditLog,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
}

/// The two tasks that make notices of failures durable, and deliver them.
pub struct NotifyTasks {
    queue: NoticeQueue,
    delivery: Delivery,
}

/// The half that takes failures, and the tasks. Connects nothing yet.
///
/// # Errors
/// The CA file does not serve.
pub fn open(place: &WebhookPlace, parts: Parts) -> Result<(Notifier, NotifyTasks), ReachFault> {
    let webhook = Webhook::new(place, parts.secrets)?;
    let stored = Arc::new(Notify::new());
    let (notifier, inbox) = Notifier::new(parts.clock.clone(), parts.metrics.clone());
    let queue =
        NoticeQueue::new(inbox, parts.ledger.clone(), stored.clone(), parts.metrics.clone());
    let delivery = Delivery {
        webhook,
        ledger: parts.ledger,
        audit: parts.audit,
        metrics: parts.metrics,
        clock: parts.clock,
        stored,
    };
    Ok((notifier, NotifyTasks { queue, delivery }))
}

// === impl NotifyTasks ===

impl NotifyTasks {
    /// Until `stop`. When this returns, the ledger has every notice so far, and each delivery under way has
    /// ended or is put off.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        tokio::join!(self.queue.run(stop.clone()), self.delivery.run(stop));
    }
}
