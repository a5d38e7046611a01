//! Changes by operators: audited first, then made.

use super::Admin;
use super::operator::Operator;
use crate::api::refusal::Refusal;
use custody_audit::entry::Order;
use custody_audit::{Entry, Event, Outcome};

// === impl Admin ===

impl Admin {
    /// Writes down that this operator is about to do this. A caller that gets an error must not act.
    ///
    /// # Errors
    /// The audit log cannot be written: 503 `audit_unavailable`.
    pub(super) async fn order(
        &self,
        by: &Operator,
        action: &'static str,
        target: Option<(&'static str, &str)>,
    ) -> Result<Order, Refusal> {
        let order = Order {
            by: by.name().to_owned(),
            action,
            target_kind: target.map(|(kind, _)| kind),
            target: target.map(|(_, id)| id.to_owned()),
        };
        let mut entry = Entry::new(Event::Order, Outcome::Allow);
        entry.order = Some(order.clone());
        self.audit.append(entry).await?;
        Ok(order)
    }

    /// Records that the order was not carried out, and returns the refusal.
    pub(super) async fn not_done(&self, order: Order, refusal: Refusal) -> Refusal {
        let mut entry = Entry::new(Event::OrderFailed, Outcome::Deny);
        entry.code = Some(refusal.code);
        entry.order = Some(order);
        // The order itself is in the log; that it failed may be missing there.
        let _ = self.audit.append(entry).await;
        refusal
    }

    /// The outcome of an order.
    pub(super) async fn done<T, E: Into<Refusal>>(
        &self,
        order: Order,
        outcome: Result<T, E>,
    ) -> Result<T, Refusal> {
        match outcome {
            Ok(done) => Ok(done),
            Err(fault) => Err(self.not_done(order, fault.into()).await),
        }
    }
}
