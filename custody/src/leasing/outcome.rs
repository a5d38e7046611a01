//! What became of an operation: `POST /v1/leases/{id}/outcome`.

use super::Leasing;
use crate::audit::entry::Ended;
use crate::audit::{Entry, Event, Outcome};
use crate::ledger::{Closed, Settled};
use lease::{OutcomeRefusal, OutcomeReport, is_lease_id};

// === impl Leasing ===

impl Leasing {
    /// Closes the operation of a single-use lease; the first report counts.
    ///
    /// # Errors
    /// [`OutcomeRefusal`].
    pub async fn settle(
        &self,
        lease_id: &str,
        body: &[u8],
        request_id: Option<String>,
    ) -> Result<(), OutcomeRefusal> {
        if !is_lease_id(lease_id) {
            return Err(OutcomeRefusal::UnknownLease);
        }
        let report = OutcomeReport::decode(body).map_err(|_| OutcomeRefusal::BadRequest)?;
        let closed = match report.outcome {
            lease::Outcome::Accepted => Closed::Accepted,
            lease::Outcome::Delivered => Closed::Delivered,
            lease::Outcome::Failed => Closed::Failed,
        };
        let (code, now) = (report.failure_code.as_deref(), (self.parts.clock)());
        let settled = self.parts.ledger.settle(lease_id, closed, code, now).await;
        match settled {
            Ok(Settled::Now) => {}
            Ok(Settled::Before) => return Err(OutcomeRefusal::AlreadySettled),
            Ok(Settled::Unknown) => return Err(OutcomeRefusal::UnknownLease),
            Err(fault) => {
                tracing::error!(%fault, "an outcome was not written down");
                return Err(OutcomeRefusal::Unavailable);
            }
        }
        let mut entry = Entry::new(Event::LeaseSettled, Outcome::Note);
        entry.ended = Some(Ended {
            lease_id: lease_id.to_owned(),
            reported: Some(report.outcome),
            failure_code: report.failure_code,
        });
        entry.request_id = request_id;
        self.parts.audit.append(entry).await.map_err(|_| OutcomeRefusal::Unavailable)
    }
}
