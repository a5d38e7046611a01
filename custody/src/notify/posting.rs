//! From a failure to a notice in the ledger.

use super::alike::{Failed, Told};
use crate::metrics::Metrics;
use custody_base::clock::Clock;
use custody_ledger::{Ledger, Notice};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc, watch};

/// Notices that may wait for the ledger at once; more are lost, and said to be.
const QUEUE: usize = 1024;

/// Takes failures, and returns at once.
pub struct Notifier {
    told: Mutex<Told>,
    orders: mpsc::Sender<Notice>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// Puts them into the ledger.
pub(super) struct Posting {
    inbox: mpsc::Receiver<Notice>,
    ledger: Arc<dyn Ledger>,
    /// Woken after each, so that it is delivered without delay.
    posted: Arc<Notify>,
    metrics: Arc<Metrics>,
}

// === impl Notifier ===

impl Notifier {
    pub(super) fn new(clock: Clock, metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<Notice>) {
        let (orders, inbox) = mpsc::channel(QUEUE);
        (Self { told: Mutex::default(), orders, clock, metrics }, inbox)
    }

    /// One failure; whether somebody hears of it is not for the caller to wait for.
    pub fn failed(&self, failed: &Failed) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let notice = told.tell(failed, (self.clock)());
        drop(told);
        if notice.is_some_and(|notice| self.orders.try_send(notice).is_err()) {
            self.metrics.notice_lost();
            tracing::error!(?failed, "dropped a notice: too many wait for the ledger");
        }
    }
}

// === impl Posting ===

impl Posting {
    pub(super) fn new(
        inbox: mpsc::Receiver<Notice>,
        ledger: Arc<dyn Ledger>,
        posted: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { inbox, ledger, posted, metrics }
    }

    /// Until `stop`, and then what was told by then.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let next = tokio::select! {
                next = self.inbox.recv() => next,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match next {
                Some(notice) => self.post(&notice).await,
                None => return,
            }
        }
        self.inbox.close();
        while let Some(notice) = self.inbox.recv().await {
            self.post(&notice).await;
        }
    }

    async fn post(&self, notice: &Notice) {
        match self.ledger.post(notice).await {
            Ok(()) => self.posted.notify_one(),
            Err(fault) => {
                self.metrics.notice_lost();
                tracing::error!(id = notice.id, %fault, "dropped a notice: the ledger did not store it");
            }
        }
    }
}
