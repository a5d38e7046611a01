//! The second phase: permitted, and custody has been asked.

use super::await_request::Pending;
use super::forwarded::Forwarded;
use super::{Denied, Verdict};
use crate::denial::Denial;
use crate::headers::Headers;
use crate::{TrustEdge, UnixSeconds};
use lease::{Binding, LEASE_CEILING, Lease, LeaseFault, LiveLease, RefusalCode};
use std::rc::Rc;

/// A held request that waits for custody's answer.
pub struct AwaitLease {
    pending: Box<Pending>,
    headers: Headers,
    /// What becomes of it unless a lease comes.
    refused: Denied,
}

/// What came of the callout.
pub enum Answer<'a> {
    /// A response; Envoy reports its own timeout as one of 504, a failed connection as one of 503.
    Response { status: u16, body: &'a [u8] },
    /// No response: the stream was reset.
    Reset,
    /// The callout was never sent.
    NotSent(Denial),
}

/// Custody's answers are small; more is not custody.
pub const MAX_ANSWER: usize = 64 * 1024;

// === impl AwaitLease ===

impl AwaitLease {
    pub(super) fn new(pending: Box<Pending>, headers: Headers, refused: Denied) -> Self {
        Self { pending, headers, refused }
    }

    /// Ends the wait with custody's answer. `now` in seconds, taken after the answer came.
    pub fn settle(self, edge: &mut TrustEdge, answer: Answer<'_>, now: UnixSeconds) -> Verdict {
        let Self { pending, headers, refused } = self;
        let Pending { key, edits, permit } = *pending;
        let usable = leased(answer, now).and_then(|lease| {
            // The session may have ended while custody was thinking.
            edge.policy.verifier.check_time(permit.session(), now)?;
            Ok(Rc::new(lease))
        });
        match usable {
            Ok(lease) => {
                edge.leases.keep(key, &lease);
                Verdict::Forward(Forwarded::with_lease(&permit, edits, &headers, &lease))
            }
            Err(denial) => Verdict::Deny(refused.because(denial)),
        }
    }

    /// Gives up: an event came that this phase does not expect.
    pub fn abandon(self, denial: Denial) -> Denied {
        self.refused.because(denial)
    }
}

fn leased(answer: Answer<'_>, now: UnixSeconds) -> Result<LiveLease, Denial> {
    let (status, body) = match answer {
        Answer::Response { status, body } => (status, body),
        Answer::Reset => return Err(Denial::CustodyUnavailable),
        Answer::NotSent(denial) => return Err(denial),
    };
    if body.len() > MAX_ANSWER {
        return Err(Denial::CustodyAnswer);
    }
    if status == 200 {
        let lease = Lease::decode(body)?;
        if lease.binding != Binding::Session {
            return Err(Denial::Lease(LeaseFault::Binding));
        }
        return Ok(lease.live(now, LEASE_CEILING)?);
    }
    Err(match (RefusalCode::decode(status, body), status) {
        (Some(code), _) => Denial::of_refusal(code),
        (None, 504) => Denial::CustodyTimeout,
        (None, 503) => Denial::CustodyUnavailable,
        (None, _) => Denial::CustodyAnswer,
    })
}
