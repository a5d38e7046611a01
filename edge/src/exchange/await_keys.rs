//! Before anything is known: the keys by which the session is believed or not are on their way.

use super::{AwaitRequest, Denied, Request, Verdict};
use crate::TrustEdge;
use crate::denial::Denial;
use crate::flights::{FlightId, Landed};
use crate::moment::Moment;

/// A held request that waits for its issuer's keys, once.
pub struct AwaitKeys {
    flight: FlightId,
    request: Box<Request>,
}

// === impl AwaitKeys ===

impl AwaitKeys {
    pub(super) fn new(flight: FlightId, request: Request) -> Self {
        Self { flight, request: Box::new(request) }
    }

    pub(super) fn flight(&self) -> FlightId {
        self.flight
    }

    /// Decides about the request with the keys that there are now, whatever the fetch has brought.
    pub(super) fn settle(self, edge: &mut TrustEdge, landed: &Landed, now: Moment) -> Verdict {
        if landed.flight() != self.flight {
            return Verdict::Deny(self.abandon(Denial::Internal));
        }
        match AwaitRequest::default().admit_finally(edge, *self.request, now) {
            // Nothing of the body was shown while this waited, and nothing of it would be now.
            Verdict::Read(wait) => Verdict::Deny(wait.abandon(Denial::SessionKeysMissing)),
            verdict => verdict,
        }
    }

    pub(super) fn abandon(self, denial: Denial) -> Denied {
        Denied::new(denial, &self.request)
    }
}
