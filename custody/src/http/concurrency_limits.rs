//! How many requests are worked on at once. Custody rejects requests over the limit before it reads their
//! body, so that load never becomes memory.

use crate::limits::Limits;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places there are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimits {
    requests: Arc<Semaphore>,
    pollers: Arc<Semaphore>,
}

// === impl ConcurrencyLimits ===

impl ConcurrencyLimits {
    pub fn new(limits: &Limits) -> Self {
        let semaphore = |count| Arc::new(Semaphore::new(count));
        Self { requests: semaphore(limits.concurrent), pollers: semaphore(limits.pollers) }
    }

    /// A place for a request; `None` if all are taken.
    pub(super) fn request(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().ok()
    }

    /// A place for a poll that waits for an update.
    pub(super) fn poller(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pollers).try_acquire_owned().ok()
    }
}
