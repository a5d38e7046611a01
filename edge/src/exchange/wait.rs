//! A held request, whatever it waits for.

use super::{AwaitKeys, AwaitLease, Denied, Verdict};
use crate::TrustEdge;
use crate::denial::Denial;
use crate::flights::{FlightId, Landed};
use crate::moment::Moment;

/// Ends with the landing of one flight. It may be followed by another wait: who has waited for the
/// keys may have to wait for a lease, and then no more.
pub enum Wait {
    Keys(AwaitKeys),
    Lease(AwaitLease),
}

// === impl Wait ===

impl Wait {
    /// What it waits for.
    pub fn flight(&self) -> FlightId {
        match self {
            Self::Keys(wait) => wait.flight(),
            Self::Lease(wait) => wait.flight(),
        }
    }

    /// Ends the wait with what the flight brought. `now` is taken after the answer came.
    pub fn settle(self, edge: &mut TrustEdge, landed: &Landed, now: Moment) -> Verdict {
        match self {
            Self::Keys(wait) => wait.settle(edge, landed, now),
            Self::Lease(wait) => wait.settle(edge, landed, now),
        }
    }

    /// Gives up: an event came that this phase does not expect.
    pub fn abandon(self, denial: Denial) -> Denied {
        match self {
            Self::Keys(wait) => wait.abandon(denial),
            Self::Lease(wait) => wait.abandon(denial),
        }
    }
}
