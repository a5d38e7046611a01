//! How often sources may be asked for one operation.

use async_trait::async_trait;
use custody_ledger::{Attempt, LedgerFault};
use std::sync::atomic::{AtomicU32, Ordering};

/// Primary and backup together, for one operation.
pub const MOST_ATTEMPTS: u32 = 3;

/// The attempts that are left. Of a reservation it is the ledger's row, so that a crash refunds none.
#[async_trait]
pub trait AttemptBudget: Send + Sync {
    /// Counts an attempt that is about to be made.
    ///
    /// # Errors
    /// It could not be counted, and then it is not made.
    async fn spend(&self) -> Result<Attempt, LedgerFault>;
}

/// A budget of [`MOST_ATTEMPTS`] that ends with its request.
#[derive(Debug, Default)]
pub struct InMemory(AtomicU32);

// === impl InMemory ===

impl InMemory {
    /// So many were made before.
    pub fn after(attempts: u32) -> Self {
        Self(attempts.into())
    }
}

#[async_trait]
impl AttemptBudget for InMemory {
    async fn spend(&self) -> Result<Attempt, LedgerFault> {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(if before < MOST_ATTEMPTS { Attempt::Counted(before + 1) } else { Attempt::Exhausted })
    }
}
