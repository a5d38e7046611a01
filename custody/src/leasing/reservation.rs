//! What a request holds while it works: nothing but a count, or a reservation in the ledger.

use super::operation;
use super::reason::RefusalReason;
use super::request::AdmittedRequest;
use super::{Leasing, Refused, TIME_LIMIT};
use custody_backends::resolver::{AttemptBudget, InMemory, MOST_ATTEMPTS};
use custody_base::names::fresh_id;
use custody_ledger::{Attempt, Ledger, LedgerFault, Opened, Reservation};
use lease::RefusalCode;

/// A holder that is silent for its time limit and this long, in seconds, is dead.
const SLACK: u64 = 5;
/// How long a used reservation is kept at least, in seconds: the token it was used with may be
/// renewed within its session.
const DAY: u64 = 24 * 60 * 60;

pub(super) enum ReservationGuard {
    /// A lease bound to its session may be had any number of times; attempts are counted here.
    Session(InMemory),
    Operation(OpenReservation),
}

/// An open reservation. Whoever drops it without a word leaves it to its `held_until`.
pub(super) struct OpenReservation {
    key: [u8; 32],
    holder: String,
}

// === impl Leasing ===

impl Leasing {
    /// A single-use request has its operation reserved, once, on all replicas. The request gets the
    /// lease id that the reservation has had from the first.
    pub(super) async fn reserve(
        &self,
        admitted: &mut AdmittedRequest,
    ) -> Result<ReservationGuard, Refused> {
        if !admitted.is_single_use() {
            return Ok(ReservationGuard::Session(InMemory::default()));
        }
        let ledger = &*self.parts.ledger;
        let reservation = reservation(admitted)?;
        let held = OpenReservation { key: reservation.key, holder: reservation.holder.clone() };
        match ledger.open(&reservation).await {
            Ok(Opened::Held { lease_id, attempts: _ }) => {
                admitted.lease_id = lease_id;
                Ok(ReservationGuard::Operation(held))
            }
            Ok(Opened::Replayed) => {
                Err(self.deny(&admitted.authenticated, RefusalReason::Replay).await)
            }
            Err(fault) => {
                tracing::error!(%fault, "failed to reach the ledger: custody issues no lease until it can");
                // It may have been opened all the same.
                ReservationGuard::Operation(held).give_up(ledger).await;
                Err(self.deny(&admitted.authenticated, RefusalReason::Ledger).await)
            }
        }
    }
}

fn reservation(admitted: &AdmittedRequest) -> Result<Reservation, RefusalCode> {
    let (authenticated, now) = (&admitted.authenticated, admitted.authenticated.now);
    let holder = fresh_id("hld").map_err(|_| RefusalCode::Unavailable)?;
    Ok(Reservation {
        key: operation::key(&authenticated.session, &authenticated.request),
        lease_id: admitted.lease_id.clone(),
        session: authenticated.session.id().to_owned(),
        handle: admitted.grant.handle.clone(),
        destination: authenticated.request.destination.to_string(),
        purpose: admitted.grant.purpose.clone().unwrap_or_default(),
        budget: MOST_ATTEMPTS,
        holder,
        now,
        held_until: now + TIME_LIMIT.as_secs() + SLACK,
        keep_until: authenticated.session.expires_at().max(now) + DAY,
    })
}

// === impl ReservationGuard ===

impl ReservationGuard {
    /// Counts an attempt before it is made; of an operation durably, so that a crash refunds none.
    pub async fn spend(&self, ledger: &dyn Ledger) -> Result<Attempt, LedgerFault> {
        match self {
            Self::Session(attempts) => attempts.spend().await,
            Self::Operation(held) => ledger.attempt(&held.key, &held.holder).await,
        }
    }

    /// Key and holder of the reservation that is released with the lease.
    pub fn reservation(&self) -> Option<(&[u8; 32], &str)> {
        match self {
            Self::Session(_) => None,
            Self::Operation(held) => Some((&held.key, &held.holder)),
        }
    }

    /// Leaves what attempts there are to a later caller. Of a reservation that was released, or is
    /// held by somebody else, nothing happens; if the ledger fails, it runs out by itself.
    pub async fn give_up(&self, ledger: &dyn Ledger) {
        if let Self::Operation(held) = self
            && let Err(fault) = ledger.give_up(&held.key, &held.holder).await
        {
            tracing::warn!(%fault, "failed to release a reservation: it ends by itself");
        }
    }
}
