//! From a failure to a notice in the ledger.

use super::dedup::{BackendFailure, RecentFailures};
use crate::metrics::Metrics;
use custody_base::clock::Clock;
use custody_ledger::{Ledger, Notice};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc, watch};

/// Notices that may wait for the ledger at once; custody drops more, and logs each.
const QUEUE: usize = 1024;

/// Takes failures, and returns at once.
pub struct Notifier {
    recent: Mutex<RecentFailures>,
    orders: mpsc::Sender<Notice>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// Puts them into the ledger.
pub(super) struct NoticeQueue {
    inbox: mpsc::Receiver<Notice>,
    ledger: Arc<dyn Ledger>,
    /// Woken after each, so that it is delivered without delay.
    stored: Arc<Notify>,
    metrics: Arc<Metrics>,
}

// === impl Notifier ===

impl Notifier {
    pub(super) fn new(clock: Clock, metrics: Arc<Metrics>) -> (Self, mpsc::Receiver<Notice>) {
        let (orders, inbox) = mpsc::channel(QUEUE);
        (Self { recent: Mutex::default(), orders, clock, metrics }, inbox)
    }

    /// Takes one failure; the caller does not wait for its delivery.
    pub fn report(&self, failure: &BackendFailure) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let notice = recent.notice_of(failure, (self.clock)());
        drop(recent);
        if notice.is_some_and(|notice| self.orders.try_send(notice).is_err()) {
            self.metrics.notice_lost();
            tracing::error!(?failure, "dropped a notice: too many wait for the ledger");
        }
    }
}

// === impl NoticeQueue ===

impl NoticeQueue {
    pub(super) fn new(
        inbox: mpsc::Receiver<Notice>,
        ledger: Arc<dyn Ledger>,
        stored: Arc<Notify>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { inbox, ledger, stored, metrics }
    }

    /// Runs until `stop`, and then stores the notices that are left.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let next = tokio::select! {
                next = self.inbox.recv() => next,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match next {
                Some(notice) => self.store(&notice).await,
                None => return,
            }
        }
        self.inbox.close();
        while let Some(notice) = self.inbox.recv().await {
            self.store(&notice).await;
        }
    }

    async fn store(&self, notice: &Notice) {
        match self.ledger.post(notice).await {
            Ok(()) => self.stored.notify_one(),
            Err(fault) => {
                self.metrics.notice_lost();
                tracing::error!(id = notice.id, %fault, "dropped a notice: the ledger did not store it");
            }
        }
    }
}
