//! Single-use leases: one for each operation, and the edge reports its outcome.

use super::tests::*;
use super::*;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::callout::{Answer, Callout, Purpose};
use crate::state::lease_usage::RequestOutcome;
use crate::{Now, TrustEdge};
use lease::{Authority, fingerprint};
use serde_json::{Value, json};
use std::time::Duration;

/// SHA-256 of nothing, and of `pay`.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const PAY: &str = "9350872d712a127c494d7dc35e46b0bc9e62e288239708e581dfc3a1400154a4";

/// An edge whose GitHub credential is good for one operation.
fn edge_with(more: &Value) -> TrustEdge {
    let mut config = config();
    let credential = &mut config["destinations"][0]["credential"];
    credential["binding"] = json!("single_use");
    for (name, value) in more.as_object().unwrap() {
        credential[name] = value.clone();
    }
    edge_of(&config)
}

fn single_use() -> TrustEdge {
    edge_with(&json!({}))
}

fn reading() -> TrustEdge {
    edge_with(&json!({"body_digest": true, "max_body": 4}))
}

fn ask() -> Request {
    request("GET", "api.github.com", "/repos/acme/x", &token())
}

fn named(key: &str) -> Request {
    with(ask(), [("idempotency-key", key)])
}

fn with_body(request: Request) -> Request {
    Request { has_body: true, ..request }
}

fn body_of(callout: &Callout) -> Value {
    serde_json::from_slice(&callout.body).unwrap()
}

fn wanted(edge: &mut TrustEdge, request: Request) -> Box<AwaitBody> {
    match admit(edge, request) {
        Verdict::Read(wait) => wait,
        _ => panic!("the body is not wanted"),
    }
}

fn lease_for_once() -> Vec<u8> {
    lease_body(|lease| lease["binding"] = json!("single_use"))
}

fn good(body: &[u8]) -> Answer<'_> {
    Answer::Response { status: 200, body }
}

/// Path and body of the one outcome that is reported.
fn told(edge: &mut TrustEdge) -> Option<(String, Value)> {
    let mut callouts = edge.take_callouts();
    assert!(callouts.len() < 2);
    let callout = callouts.pop()?;
    assert_eq!((callout.purpose, callout.method), (Purpose::Outcome, "POST"));
    Some((callout.path.clone(), body_of(&callout)))
}

fn failed(code: &str) -> Option<(String, Value)> {
    let body = json!({"outcome": "failed", "failure_code": code});
    Some(("/v1/leases/lse-1/outcome".to_owned(), body))
}

#[test]
fn each_request_is_an_operation_of_its_own() {
    let mut edge = single_use();
    let (first, one) = asked(&mut edge, ask());
    let (second, other) = asked(&mut edge, ask());
    assert_ne!(first.fetch(), second.fetch(), "nobody shares a lease for one use");
    let [one, other] = [body_of(&one), body_of(&other)];
    assert_eq!(one["binding"], "single_use");
    assert_ne!(one["idempotency_key"], other["idempotency_key"]);
    assert_ne!(one["fingerprint"], other["fingerprint"]);
    let body = lease_for_once();
    let verdict = settle(first, &mut edge, good(&body), NOW);
    assert_eq!(forwarded(verdict), ["authorization=Bearer s3cret"]);
    asked(&mut edge, ask());
}

#[test]
fn a_guest_names_its_operation() {
    let mut edge = single_use();
    let (_, callout) = asked(&mut edge, named("order 7"));
    let body = body_of(&callout);
    let authority = Authority::parse(b"api.github.com", 443).unwrap();
    let expected = fingerprint("GET", &authority, "/repos/acme/x", Some("order 7"), None);
    assert_eq!(body["idempotency_key"], "order 7");
    assert_eq!(body["fingerprint"], expected);
    assert_eq!(body.get("body_digest"), None);
    for bad in ["", "\u{e9}", "a\tb", &"k".repeat(257)] {
        assert_eq!(denied(&mut edge, named(bad)), Denial::IdempotencyKey, "{bad:?}");
    }
    let twice = with(named("a"), [("idempotency-key", "a")]);
    assert_eq!(denied(&mut edge, twice), Denial::IdempotencyKey);
    let mut edge = edge_with(&json!({"idempotency_key": "x-order"}));
    let (_, callout) = asked(&mut edge, with(named("not this"), [("x-order", "this")]));
    assert_eq!(body_of(&callout)["idempotency_key"], "this");
}

#[test]
fn a_repetition_is_told_as_one() {
    let mut edge = single_use();
    let (wait, _) = asked(&mut edge, named("again"));
    let replay = Answer::Response { status: 409, body: br#"{"code":"replay_rejected"}"# };
    assert_eq!(refused(settle(wait, &mut edge, replay, NOW)), Denial::ReplayRejected);
    assert_eq!(told(&mut edge), None, "there was no lease");
}

#[test]
fn a_lease_of_the_other_kind_is_not_taken() {
    for (mut edge, body) in [(single_use(), lease_body(|_| {})), (edge(), lease_for_once())] {
        let (wait, _) = asked(&mut edge, ask());
        let fault = Denial::Lease(lease::LeaseFault::Binding);
        assert_eq!(refused(settle(wait, &mut edge, good(&body), NOW)), fault);
    }
}

// === the body ===

#[test]
fn the_body_is_read_before_custody_is_asked() {
    let mut edge = reading();
    let mut wait = wanted(&mut edge, with_body(named("k")));
    assert!(edge.take_callouts().is_empty());
    wait.read(b"p");
    wait.read(b"ay");
    assert_eq!(wait.length(), 3);
    let Verdict::Wait(wait) = wait.end(&mut edge, at(NOW)) else { panic!("does not wait") };
    let callout = edge.take_callouts().pop().unwrap();
    let body = body_of(&callout);
    assert_eq!(body["body_digest"], PAY);
    let authority = Authority::parse(b"api.github.com", 443).unwrap();
    let expected = fingerprint("GET", &authority, "/repos/acme/x", Some("k"), Some(PAY));
    assert_eq!(body["fingerprint"], expected);
    let body = lease_for_once();
    let verdict = settle(wait, &mut edge, good(&body), NOW);
    assert_eq!(forwarded(verdict), ["authorization=Bearer s3cret"]);
}

#[test]
fn no_body_is_an_empty_one_and_nobody_waits_for_it() {
    let mut edge = reading();
    let (_, callout) = asked(&mut edge, ask());
    assert_eq!(body_of(&callout)["body_digest"], EMPTY);
    let wait = wanted(&mut edge, with_body(ask()));
    assert!(matches!(wait.end(&mut edge, at(NOW)), Verdict::Wait(_)));
    assert_eq!(body_of(&edge.take_callouts()[0])["body_digest"], EMPTY);
}

#[test]
fn a_body_has_a_bound() {
    let mut edge = reading();
    let mut wait = wanted(&mut edge, with_body(ask()));
    assert!(wait.takes(4) && !wait.takes(5));
    wait.read(b"12345");
    assert_eq!(refused(wait.end(&mut edge, at(NOW))), Denial::BodyTooLarge);
    let announced = with_body(with(ask(), [("content-length", "5")]));
    assert_eq!(denied(&mut edge, announced), Denial::BodyTooLarge);
    assert!(edge.take_callouts().is_empty());
}

#[test]
fn a_body_has_its_time_and_so_has_the_session() {
    let mut edge = reading();
    let wait = wanted(&mut edge, with_body(ask()));
    assert_eq!(wait.deadline(), at(NOW + 30).steady);
    let late = Now { wall: Duration::from_secs(NOW + 700), ..at(NOW + 20) };
    assert!(matches!(refused(wait.end(&mut edge, late)), Denial::Session(_)));
    assert!(edge.take_callouts().is_empty());
}

// === what became of it ===

#[test]
fn how_each_operation_ended_is_told() {
    let ended = |status, details: &'static [u8]| {
        let mut edge = single_use();
        let (wait, _) = asked(&mut edge, ask());
        let body = lease_for_once();
        let Verdict::Forward(forwarded) = settle(wait, &mut edge, good(&body), NOW) else {
            panic!("not forwarded")
        };
        let usage = forwarded.usage().unwrap();
        assert!(usage.needs_report(status));
        edge.ended(usage, RequestOutcome { status, details }, at(NOW + 1));
        told(&mut edge)
    };
    let delivered = ("/v1/leases/lse-1/outcome".to_owned(), json!({"outcome": "delivered"}));
    assert_eq!(ended(200, b"via_upstream"), Some(delivered));
    assert_eq!(ended(401, b"via_upstream"), failed("upstream_401"));
    assert_eq!(ended(0, b""), failed("guest_gone"));
}

#[test]
fn a_lease_that_nobody_takes_is_given_back() {
    let body = lease_for_once();
    let mut edge = single_use();
    let (wait, _) = asked(&mut edge, ask());
    let completed = edge.answered(Purpose::Lease(wait.fetch()), good(&body), at(NOW)).unwrap();
    edge.unclaimed(&completed);
    assert_eq!(told(&mut edge), failed("guest_gone"));
    // Its session ended while custody thought.
    let (wait, _) = asked(&mut edge, ask());
    let late = lease_body(|lease| {
        (lease["binding"], lease["expires_at"]) = (json!("single_use"), json!(NOW + 900));
    });
    let verdict = settle(wait, &mut edge, good(&late), NOW + 700);
    assert!(matches!(refused(verdict), Denial::Session(_)));
    assert_eq!(told(&mut edge), failed("session_expired"));
    // Nothing to give back where there was no lease, or one that is kept.
    let (wait, _) = asked(&mut edge, ask());
    let completed = edge.answered(Purpose::Lease(wait.fetch()), Answer::Reset, at(NOW)).unwrap();
    edge.unclaimed(&completed);
    assert_eq!(told(&mut edge), None);
}

#[test]
fn a_refused_credential_that_was_kept_is_told_once() {
    let mut edge = edge();
    let (wait, _) = asked(&mut edge, ask());
    let body = lease_body(|_| {});
    let Verdict::Forward(forwarded) = settle(wait, &mut edge, good(&body), NOW) else {
        panic!("not forwarded")
    };
    let usage = forwarded.usage().unwrap();
    let refusal = RequestOutcome { status: 401, details: b"via_upstream" };
    // Envoy's own 401 says nothing of the credential.
    edge.ended(usage, RequestOutcome { status: 401, details: b"ext_authz_denied" }, at(NOW + 10));
    assert_eq!(told(&mut edge), None);
    edge.ended(usage, refusal, at(NOW + 10));
    assert_eq!(told(&mut edge), failed("upstream_401"));
    edge.ended(usage, refusal, at(NOW + 10));
    assert_eq!(told(&mut edge), None);
}
