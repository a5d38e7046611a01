//! A held request, with the fetch that it waits for.

use super::await_keys::AwaitKeys;
use super::await_lease::AwaitLease;
use super::denied::Denied;
use crate::ids::FetchId;
use crate::policy::denial::Denial;

/// Ends when one fetch completes. It may be followed by another wait: who has waited for the
/// keys may have to wait for a lease, and then no more.
pub enum Wait {
    Keys(AwaitKeys),
    Lease(AwaitLease),
}

// === impl Wait ===

impl Wait {
    /// The fetch that it waits for.
    pub fn fetch(&self) -> FetchId {
        match self {
            Self::Keys(wait) => wait.fetch(),
            Self::Lease(wait) => wait.fetch(),
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
