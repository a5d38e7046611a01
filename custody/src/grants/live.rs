//! The grants in force, which change without a restart.

use super::Grants;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The grants in force. Whoever decides takes them once, so that a decision never mixes two sets.
#[derive(Debug)]
pub struct LiveGrants {
    current: RwLock<Arc<Grants>>,
    /// Counts the changes, to wake those who told an edge what a revoked actor's handles are.
    changes: watch::Sender<u64>,
}

// === impl LiveGrants ===

impl LiveGrants {
    pub fn new(grants: Grants) -> Self {
        Self { current: RwLock::new(Arc::new(grants)), changes: watch::Sender::new(0) }
    }

    pub fn current(&self) -> Arc<Grants> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// All of the new ones in place of all of the old ones.
    pub fn replace(&self, grants: Grants) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(grants);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Told of every later [`LiveGrants::replace`].
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
