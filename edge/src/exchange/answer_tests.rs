//! Of all answers of custody, only a live lease forwards a request.

use super::tests::*;
use super::*;
use crate::policy::denial::Denial;
use crate::state::callout::{Answer, MAX_LEASE};
use lease::LeaseFault;
use proptest::prelude::*;
use serde_json::{Value, json};
use session::Refusal;

fn settled(status: u16, body: &[u8]) -> Verdict {
    let mut edge = edge();
    let (wait, _) = asked(&mut edge, request("GET", "api.github.com", "/repos/acme/x", &token()));
    settle(wait, &mut edge, Answer::Response { status, body }, NOW)
}

#[test]
fn every_answer_of_custody_that_is_no_lease() {
    for (status, body, denial) in [
        (401, r#"{"code":"session_refused"}"#, Denial::CustodyRefused),
        (403, r#"{"code":"not_granted"}"#, Denial::CustodyRefused),
        (409, r#"{"code":"replay_rejected"}"#, Denial::ReplayRejected),
        (429, r#"{"code":"rate_limited"}"#, Denial::CustodyRateLimited),
        (503, r#"{"code":"unavailable"}"#, Denial::CustodyUnavailable),
        (503, r#"{"code":"session_keys_unavailable"}"#, Denial::CustodyUnavailable),
        (400, r#"{"code":"bad_request"}"#, Denial::CustodyAnswer),
        (503, "no healthy upstream", Denial::CustodyUnavailable),
        (504, "upstream request timeout", Denial::CustodyTimeout),
        (403, "<html>", Denial::CustodyAnswer),
        (302, "", Denial::CustodyAnswer),
        (204, "", Denial::CustodyAnswer),
        (0, "", Denial::CustodyAnswer),
        (200, "", Denial::Lease(LeaseFault::Malformed)),
        (200, "[]", Denial::Lease(LeaseFault::Malformed)),
    ] {
        assert_eq!(refused(settled(status, body.as_bytes())), denial, "{status} {body}");
    }
    assert_eq!(refused(settled(200, &vec![b' '; MAX_LEASE + 1])), Denial::CustodyAnswer);
    // A body that would be a lease is none under another status.
    assert_eq!(refused(settled(201, &lease_body(|_| {}))), Denial::CustodyAnswer);
}

#[test]
fn every_fault_of_a_lease() {
    type Change = fn(&mut Value);
    let faults: [(Change, LeaseFault); 7] = [
        (|lease| lease["expires_at"] = json!(null), LeaseFault::NoExpiry),
        (|lease| lease["expires_at"] = json!(NOW), LeaseFault::Expired),
        (|lease| lease["expires_at"] = json!(NOW + 901), LeaseFault::TooLong),
        (|lease| lease["headers"] = json!([]), LeaseFault::Malformed),
        (|lease| lease["binding"] = json!("single_use"), LeaseFault::Binding),
        (
            |lease| lease["headers"][0]["value"] = json!("a\r\nhost: evil"),
            LeaseFault::Header(lease::HeaderFault::Value),
        ),
        (
            |lease| lease["headers"][0]["name"] = json!("Host"),
            LeaseFault::Header(lease::HeaderFault::Reserved),
        ),
    ];
    for (change, fault) in faults {
        assert_eq!(refused(settled(200, &lease_body(change))), Denial::Lease(fault));
    }
    assert!(matches!(settled(200, &lease_body(|_| {})), Verdict::Forward(_)));
}

#[test]
fn no_failure_is_kept() {
    let mut edge = edge();
    let ask = || request("GET", "api.github.com", "/repos/acme/x", &token());
    for answer in [Answer::Reset, Answer::NotSent(Denial::CustodyUnknownCluster)] {
        let (wait, _) = asked(&mut edge, ask());
        assert!(matches!(settle(wait, &mut edge, answer, NOW), Verdict::Deny(_)));
    }
    let (wait, _) = asked(&mut edge, ask());
    let good = lease_body(|_| {});
    let answer = Answer::Response { status: 200, body: &good };
    assert!(matches!(settle(wait, &mut edge, answer, NOW), Verdict::Forward(_)));
}

#[test]
fn a_session_that_ends_while_custody_thinks_gets_nothing() {
    let mut edge = edge();
    let (wait, _) = asked(&mut edge, request("GET", "api.github.com", "/repos/acme/x", &token()));
    let late = NOW + 630;
    let body = lease_body(|lease| lease["expires_at"] = json!(late + 10));
    let verdict = settle(wait, &mut edge, Answer::Response { status: 200, body: &body }, late);
    assert_eq!(refused(verdict), Denial::Session(Refusal::Expired));
}

proptest! {
    /// Any answer at any time: forwarded only with a lease that is live then.
    #[test]
    fn no_answer_forwards_without_a_live_lease(
        status in prop_oneof![Just(200u16), any::<u16>()],
        expires in 0u64..2000,
        waited in 0u64..1000,
        noise in proptest::option::of("[ -~]{0,40}"),
    ) {
        let mut edge = edge();
        let (wait, _) = asked(&mut edge, request("GET", "api.github.com", "/repos/acme/x", &token()));
        let body = match &noise {
            Some(noise) => noise.clone().into_bytes(),
            None => lease_body(|lease| lease["expires_at"] = json!(NOW + expires)),
        };
        let verdict = settle(wait, &mut edge, Answer::Response { status, body: &body }, NOW + waited);
        let live = noise.is_none() && waited < expires && expires - waited <= 900 && waited < 600;
        prop_assert_eq!(matches!(verdict, Verdict::Forward(_)), status == 200 && live);
    }
}
