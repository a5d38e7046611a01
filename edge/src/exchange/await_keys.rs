//! Before any decision: the keys that verify the session are on their way.

use super::denied::Denied;
use crate::ids::FetchId;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::inflight::CompletedFetch;

/// A held request that waits for its issuer's keys, once.
pub struct AwaitKeys {
    fetch: FetchId,
    request: Box<Request>,
}

// === impl AwaitKeys ===

impl AwaitKeys {
    pub(super) fn new(fetch: FetchId, request: Request) -> Self {
        Self { fetch, request: Box::new(request) }
    }

    pub(super) fn fetch(&self) -> FetchId {
        self.fetch
    }

    /// The request, to be decided about with the keys that there are now.
    pub(super) fn settle(self, completed: &CompletedFetch) -> Result<Request, Denied> {
        if completed.fetch() != self.fetch {
            return Err(self.abandon(Denial::Internal));
        }
        Ok(*self.request)
    }

    pub(super) fn abandon(self, denial: Denial) -> Denied {
        Denied::new(denial, &self.request)
    }
}
