//! Sessions that end while their request is decided.

use super::tests::*;
use super::*;
use crate::TrustEdge;
use crate::clock::Now;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::callout::Answer;
use session::Refusal;

fn ask() -> Request {
    request("GET", "api.github.com", "/repos/acme/x", &token())
}

fn admit_at(edge: &mut TrustEdge, request: Request, now: Now) -> Verdict {
    AwaitRequest::default().admit(edge, request, now)
}

/// Custody's clock may be ahead of the edge's by the leeway: it reports a session in its
/// last seconds as ended. At any other time its answer is as before.
#[test]
fn a_session_that_custody_refuses_at_its_end_has_expired() {
    let expired = Denial::Session(Refusal::Expired);
    let refused_at = |asked: u64, answered: u64, status: u16, body: &str| {
        let mut edge = edge();
        let Verdict::Wait(wait) = admit_at(&mut edge, ask(), at(NOW + asked)) else { panic!() };
        let answer = Answer::Response { status, body: body.as_bytes() };
        refused(settle(wait, &mut edge, answer, NOW + answered))
    };
    let (no, grant) = (r#"{"code":"session_refused"}"#, r#"{"code":"not_granted"}"#);
    let busy = r#"{"code":"unavailable"}"#;
    for (asked, answered, status, body, expected) in [
        (100, 100, 401, no, Denial::CustodyRefused),
        (569, 569, 401, no, Denial::CustodyRefused),
        (570, 570, 401, no, expired),
        (599, 600, 401, no, expired),
        (599, 599, 403, grant, Denial::CustodyRefused),
        (599, 600, 403, grant, expired),
        (599, 600, 503, busy, expired),
        (599, 600, 504, "", expired),
    ] {
        let denial = refused_at(asked, answered, status, body);
        assert_eq!(denial, expected, "{asked} {answered} {status}");
    }
}

// === clocks ===
