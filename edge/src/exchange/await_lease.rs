//! The second phase: permitted, and custody has been asked.

use super::denied::Denied;
use super::forwarded::Forwarded;
use crate::headers::Headers;
use crate::ids::FlightId;
use crate::moment::Moment;
use crate::policy::denial::Denial;
use crate::policy::edits::Edits;
use crate::policy::permit::Permit;
use crate::state::flights::Landed;
use crate::trust_edge::TrustEdge;
use lease::LeaseFault;

/// A held request that waits for its flight to land.
pub struct AwaitLease {
    pending: Box<Pending>,
    headers: Headers,
    /// What becomes of it unless a lease comes.
    refused: Denied,
}

/// A permitted request that lacks its lease.
pub(super) struct Pending {
    pub flight: FlightId,
    pub edits: Edits,
    /// What the lease is asked for; nobody else can make one.
    pub permit: Permit,
}

// === impl AwaitLease ===

impl AwaitLease {
    pub(super) fn new(pending: Box<Pending>, headers: Headers, refused: Denied) -> Self {
        Self { pending, headers, refused }
    }

    pub(super) fn flight(&self) -> FlightId {
        self.pending.flight
    }

    pub(super) fn settle(
        self,
        edge: &mut TrustEdge,
        landed: &Landed,
        now: Moment,
    ) -> Result<Forwarded, Denied> {
        let Self { pending, headers, refused } = self;
        let Pending { flight, edits, permit } = *pending;
        if landed.flight() != flight {
            return Err(refused.because(Denial::Internal));
        }
        // A session that has ended meanwhile is told so, whatever custody said.
        let usable =
            edge.check_time(&permit, now).and_then(|()| landed.lease()).and_then(|issued| {
                edge.stands(&permit, now)?;
                // The lease may have ended, if many had their turn before this one.
                if !issued.lease.is_live(now.unix()) {
                    return Err(Denial::Lease(LeaseFault::Expired));
                }
                Ok(issued)
            });
        match usable {
            Ok(issued) => Ok(Forwarded::with_lease(&permit, edits, &headers, issued)),
            Err(denial) => {
                edge.unused(landed, denial.code());
                Err(refused.because(denial))
            }
        }
    }

    pub(super) fn abandon(self, denial: Denial) -> Denied {
        self.refused.because(denial)
    }
}
