//! A held request, whatever it waits for.

use super::await_keys::AwaitKeys;
use super::await_lease::AwaitLease;
use super::denied::Denied;
use crate::ids::FlightId;
use crate::policy::denial::Denial;

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

    /// Gives up: an event came that this phase does not expect.
    pub fn abandon(self, denial: Denial) -> Denied {
        match self {
            Self::Keys(wait) => wait.abandon(denial),
            Self::Lease(wait) => wait.abandon(denial),
        }
    }
}
