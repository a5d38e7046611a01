//! The second phase: permitted, and custody has been asked.

use super::forwarded::Forwarded;
use super::{Denied, Verdict};
use crate::TrustEdge;
use crate::denial::Denial;
use crate::edits::Edits;
use crate::flights::{FlightId, Landed};
use crate::headers::Headers;
use crate::moment::Moment;
use crate::permit::Permit;
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

    pub(super) fn settle(self, edge: &TrustEdge, landed: &Landed, now: Moment) -> Verdict {
        let Self { pending, headers, refused } = self;
        let Pending { flight, edits, permit } = *pending;
        if landed.flight() != flight {
            return Verdict::Deny(refused.because(Denial::Internal));
        }
        let usable = landed.lease().and_then(|granted| {
            // The session may have ended while custody was thinking.
            edge.keys.verifier(now)?.check_time(permit.session(), now.unix())?;
            // Or have been revoked, and so may what it waited for.
            edge.feed.check_session(permit.session())?;
            if let Some(credential) = permit.credential() {
                edge.feed.check_credential(credential.handle.as_str(), now)?;
            }
            // Or the lease, if many had their turn before this one.
            if !granted.lease.is_live(now.unix()) {
                return Err(Denial::Lease(LeaseFault::Expired));
            }
            Ok(granted)
        });
        match usable {
            Ok(granted) => {
                Verdict::Forward(Forwarded::with_lease(&permit, edits, &headers, granted))
            }
            Err(denial) => Verdict::Deny(refused.because(denial)),
        }
    }

    pub(super) fn abandon(self, denial: Denial) -> Denied {
        self.refused.because(denial)
    }
}
