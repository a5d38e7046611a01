//! What became of an operation: `POST /v1/leases/{id}/outcome`.

use super::Leasing;
use custody_audit::entry::Ended;
use custody_audit::{Entry, Event, Outcome};
use custody_ledger::{Closed, LeaseFilter, LeaseRow, Settled};
use lease::{Binding, OutcomeRefusal, OutcomeReport, is_lease_id};

/// The edge's word for a credential that the upstream did not take.
const UPSTREAM_REFUSED: &str = "upstream_401";

// === impl Leasing ===

impl Leasing {
    /// Closes the operation of a single-use lease, or takes note that a lease which was kept failed;
    /// the first report counts. What an upstream refused is not given out again from memory.
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
        let row = self.row_of(lease_id).await?;
        let kept = row.as_ref().is_some_and(|row| row.binding == Binding::Session);
        if kept && closed != Closed::Failed {
            return Err(OutcomeRefusal::UnknownLease);
        }
        let settled = self.parts.ledger.settle(lease_id, closed, code, now).await;
        match settled {
            Ok(Settled::Now) => {}
            Ok(Settled::Before) => return Err(OutcomeRefusal::AlreadySettled),
            Ok(Settled::Unknown) => return Err(OutcomeRefusal::UnknownLease),
            Err(fault) => {
                tracing::error!(%fault, "failed to record an outcome");
                return Err(OutcomeRefusal::Unavailable);
            }
        }
        // A replayed report is refused above: it must not make custody mint anew.
        if let Some(row) = row.filter(|_| code == Some(UPSTREAM_REFUSED)) {
            self.parts.resolver.forget(&row.backend, &row.actor, &row.handle);
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

    pub(super) async fn row_of(&self, lease_id: &str) -> Result<Option<LeaseRow>, OutcomeRefusal> {
        let lease_id = Some(lease_id.to_owned());
        let filter = LeaseFilter { lease_id, limit: 1, ..LeaseFilter::default() };
        match self.parts.ledger.leases(&filter).await {
            Ok(rows) => Ok(rows.into_iter().next()),
            Err(fault) => {
                tracing::error!(%fault, "failed to record an outcome");
                Err(OutcomeRefusal::Unavailable)
            }
        }
    }
}
