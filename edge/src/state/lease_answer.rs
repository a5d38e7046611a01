//! The reading of custody's answer to a lease request.

use crate::clock::Now;
use crate::policy::denial::Denial;
use crate::state::callout::{Answer, MAX_LEASE};
use crate::state::inflight::LeaseFetch;
use lease::{LEASE_CEILING, Lease, LeaseFault, LiveLease, RefusalCode};
use session::Refusal;

/// A live lease of the fetch's own binding.
///
/// Custody judges by a clock of its own, which may be ahead by the leeway: a session that it refuses in
/// its last seconds has expired, and a new one is what helps.
///
/// # Errors
/// Why there is no lease.
pub fn leased(
    answer: Answer<'_>,
    fetch: &LeaseFetch,
    leeway: u64,
    now: Now,
) -> Result<LiveLease, Denial> {
    let (status, body) = match answer {
        Answer::Response { status, body } => (status, body),
        Answer::Redirect { status, .. } => (status, &[][..]),
        Answer::Reset => return Err(Denial::CustodyUnavailable),
        Answer::NotSent(denial) => return Err(denial),
    };
    if body.len() > MAX_LEASE {
        return Err(Denial::CustodyAnswer);
    }
    if status == 200 {
        let lease = Lease::decode(body)?;
        if lease.binding != fetch.binding() {
            return Err(Denial::Lease(LeaseFault::Binding));
        }
        return Ok(lease.live(now.unix(), LEASE_CEILING)?);
    }
    let is_at_its_end = fetch.session.expires_at() <= now.unix().saturating_add(leeway);
    Err(match (RefusalCode::decode(status, body), status) {
        (Some(RefusalCode::SessionRefused), _) if is_at_its_end => {
            Denial::Session(Refusal::Expired)
        }
        (Some(code), _) => Denial::of_refusal(code),
        (None, 504) => Denial::CustodyTimeout,
        (None, 503) => Denial::CustodyUnavailable,
        (None, _) => Denial::CustodyAnswer,
    })
}
