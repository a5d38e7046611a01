//! The verdict about a held request, once its fetch has completed.

use super::await_body::AwaitBody;
use super::await_request::AwaitRequest;
use super::verdict::Verdict;
use super::wait::Wait;
use crate::clock::Now;
use crate::policy::denial::Denial;
use crate::state::inflight::CompletedFetch;
use crate::trust_edge::TrustEdge;

// === impl AwaitBody ===

impl AwaitBody {
    /// The body has ended; custody is asked.
    pub fn end(self, edge: &mut TrustEdge, now: Now) -> Verdict {
        match self.ask(edge, now) {
            Ok(wait) => Verdict::Wait(Wait::Lease(wait)),
            Err(denied) => Verdict::Deny(denied),
        }
    }
}

// === impl Wait ===

impl Wait {
    /// Ends the wait with what the fetch brought. `now` is taken after the answer came.
    pub fn settle(self, edge: &mut TrustEdge, completed: &CompletedFetch, now: Now) -> Verdict {
        let wait = match self {
            Self::Keys(wait) => wait,
            Self::Lease(wait) => {
                return match wait.settle(edge, completed, now) {
                    Ok(forwarded) => Verdict::Forward(forwarded),
                    Err(denied) => Verdict::Deny(denied),
                };
            }
        };
        // The keys that there are now decide, whatever the fetch has brought.
        let verdict = match wait.settle(completed) {
            Ok(request) => AwaitRequest::default().admit_finally(edge, request, now),
            Err(denied) => Verdict::Deny(denied),
        };
        match verdict {
            // Nothing of the body was shown while this waited, and nothing of it would be now.
            Verdict::Read(wait) => Verdict::Deny(wait.abandon(Denial::SessionKeysMissing)),
            verdict => verdict,
        }
    }
}
