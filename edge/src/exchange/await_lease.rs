//! The second phase: permitted, and custody has been asked.

use super::denied::Denied;
use super::forwarded::Forwarded;
use crate::clock::Now;
use crate::headers::Headers;
use crate::ids::FetchId;
use crate::policy::denial::Denial;
use crate::policy::edits::Edits;
use crate::policy::permit::Permit;
use crate::state::inflight::CompletedFetch;
use crate::trust_edge::TrustEdge;
use lease::LeaseFault;

/// A held request that waits for its fetch to complete.
pub struct AwaitLease {
    pending: Box<Pending>,
    headers: Headers,
    /// Its denial, unless a lease comes.
    refused: Denied,
}

/// A permitted request that lacks its lease.
pub(super) struct Pending {
    pub fetch: FetchId,
    pub edits: Edits,
    /// The proof that a lease request needs; only the allow-list makes one.
    pub permit: Permit,
}

// === impl AwaitLease ===

impl AwaitLease {
    pub(super) fn new(pending: Box<Pending>, headers: Headers, refused: Denied) -> Self {
        Self { pending, headers, refused }
    }

    pub(super) fn fetch(&self) -> FetchId {
        self.pending.fetch
    }

    pub(super) fn settle(
        self,
        edge: &mut TrustEdge,
        completed: &CompletedFetch,
        now: Now,
    ) -> Result<Forwarded, Denied> {
        let Self { pending, headers, refused } = self;
        let Pending { fetch, edits, permit } = *pending;
        if completed.fetch() != fetch {
            return Err(refused.because(Denial::Internal));
        }
        // A session that has ended meanwhile is told so, whatever custody said.
        let usable =
            edge.check_time(&permit, now).and_then(|()| completed.lease()).and_then(|issued| {
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
                edge.unused(completed, denial.code());
                Err(refused.because(denial))
            }
        }
    }

    pub(super) fn abandon(self, denial: Denial) -> Denied {
        self.refused.because(denial)
    }
}
