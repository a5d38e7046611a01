//! Orders to end many leases that are under way. Should the custody that works on one be killed, the next
//! one goes on with it, or another replica.

use super::{LedgerFault, Target};
use async_trait::async_trait;
use lease::UnixSeconds;

/// An order that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkOrder {
    /// Whose leases end.
    pub target: Target,
    /// Each lease is revoked. If `false`, the target is, and its leases are only taken back.
    pub revokes_each: bool,
    /// The operator or worker that ordered it.
    pub by: String,
    /// The command, as the audit log has it.
    pub action: String,
    /// Leases that were issued later are not meant.
    pub ordered_at: UnixSeconds,
}

#[async_trait]
pub trait BulkOrders {
    /// Writes down that the order is under way, and that somebody works on it until `busy_until`. Of two
    /// orders of the same, the later `ordered_at` counts.
    async fn keep_order(
        &self,
        order: &BulkOrder,
        busy_until: UnixSeconds,
    ) -> Result<(), LedgerFault>;
    /// Takes the orders that nobody works on any more. Of any number of callers, on any number of
    /// replicas, one gets each.
    async fn take_orders(
        &self,
        now: UnixSeconds,
        busy_until: UnixSeconds,
    ) -> Result<Vec<BulkOrder>, LedgerFault>;
    /// The order is done. One of the same that was given after `ordered_at` stays.
    async fn finish_order(&self, order: &BulkOrder) -> Result<(), LedgerFault>;
}
