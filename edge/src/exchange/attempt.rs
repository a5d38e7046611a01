//! An attempt of a permitted request, behind the router.

use super::await_lease::{AwaitLease, Pending};
use super::denied::Denied;
use super::forwarded::Forwarded;
use super::verdict::Verdict;
use super::wait::Wait;
use crate::clock::Now;
use crate::ids::Ticket;
use crate::policy::denial::Denial;
use crate::policy::edits::Edits;
use crate::request::Request;
use crate::state::attempts::Taken;
use crate::state::lease_usage::RequestOutcome;
use crate::trust_edge::{LeaseLookup, TrustEdge};

enum Attempted {
    Forward(Forwarded),
    Wait(Box<Pending>),
}

// === impl TrustEdge ===

impl TrustEdge {
    /// An attempt begins. If there was one before, its upstream did not take the credential: nothing else
    /// is tried again by the routes that are shipped with this.
    pub fn attempt(&mut self, ticket: Ticket, request: Request, now: Now) -> Verdict {
        match self.try_attempt(ticket, &request, now) {
            Ok(Attempted::Forward(forwarded)) => Verdict::Forward(forwarded),
            Ok(Attempted::Wait(pending)) => {
                let refused = Denied::new(Denial::Internal, &request);
                let wait = AwaitLease::new(pending, request.headers, refused);
                Verdict::Wait(Wait::Lease(wait))
            }
            Err(denial) => Verdict::Deny(Denied::new(denial, &request)),
        }
    }

    /// The attempt goes on, and takes this along.
    pub fn attempted(&mut self, ticket: Ticket, forwarded: &Forwarded) {
        let (Some(permitted), Some(usage)) =
            (self.attempts.get_mut(ticket), forwarded.usage().cloned())
        else {
            return;
        };
        let names = forwarded.edits().injected().map(str::to_owned).collect();
        permitted.before = Some(Taken { usage, names });
    }

    fn try_attempt(
        &mut self,
        ticket: Ticket,
        request: &Request,
        now: Now,
    ) -> Result<Attempted, Denial> {
        let permitted = self.attempts.get_mut(ticket).ok_or(Denial::NotConfigured)?;
        if !permitted.permit.head().is_of(request) {
            return Err(Denial::Internal);
        }
        let (permit, key) = (permitted.permit.clone(), permitted.key);
        let token = permitted.token.duplicate();
        let mut edits = Edits::default();
        if let Some(Taken { usage, names }) = permitted.before.take() {
            self.ended(&usage, RequestOutcome::REFUSAL, now);
            edits = Edits::removing(names);
        }
        self.stands(&permit, now)?;
        Ok(match self.find_or_request(key, &permit, token.expose(), now)? {
            LeaseLookup::Now(issued) => {
                Attempted::Forward(Forwarded::with_lease(&permit, edits, &request.headers, &issued))
            }
            LeaseLookup::Awaited(fetch) => {
                Attempted::Wait(Box::new(Pending { fetch, edits, permit }))
            }
        })
    }
}
