//! Before anything is known: the keys by which the session is believed or not are on their way.

use super::denied::Denied;
use crate::ids::FlightId;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::flights::Landed;

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

    /// The request, to be decided about with the keys that there are now.
    pub(super) fn settle(self, landed: &Landed) -> Result<Request, Denied> {
        if landed.flight() != self.flight {
            return Err(self.abandon(Denial::Internal));
        }
        Ok(*self.request)
    }

    pub(super) fn abandon(self, denial: Denial) -> Denied {
        Denied::new(denial, &self.request)
    }
}
