//! Leases that are written in once an attempt.

use super::tests::*;
use super::*;
use crate::TrustEdge;
use crate::ids::Ticket;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::callout::{Answer, Purpose};
use crate::state::lease_usage::RequestOutcome;
use serde_json::json;

fn trying() -> TrustEdge {
    trying_with([7; 32])
}

fn trying_with(seed: [u8; 32]) -> TrustEdge {
    let mut config = config();
    config["inject"] = json!("upstream");
    edge_seeded(&config, seed)
}

fn ask() -> Request {
    with(request("GET", "api.github.com", "/repos/acme/x", &token()), [("authorization", "own")])
}

/// A judged request: what is stripped, and its ticket.
fn judged(edge: &mut TrustEdge) -> (Forwarded, Ticket) {
    let Verdict::Forward(judged) = admit(edge, ask()) else { panic!("not forwarded") };
    let ticket = judged.ticket().expect("a ticket");
    (judged, ticket)
}

/// The request as it is behind the router, with what an attempt before wrote.
fn behind<const N: usize>(written: [(&str, &str); N]) -> Request {
    with(plain("GET", "api.github.com", "/repos/acme/x"), written)
}

fn attempt(
    edge: &mut TrustEdge,
    ticket: Ticket,
    sent: Request,
    body: &[u8],
    now: u64,
) -> Vec<String> {
    let verdict = match edge.attempt(ticket, sent, at(now)) {
        Verdict::Wait(wait) => settle(wait, edge, Answer::Response { status: 200, body }, now),
        verdict => verdict,
    };
    let Verdict::Forward(attempt) = &verdict else { panic!("not forwarded") };
    edge.attempted(ticket, attempt);
    forwarded(verdict)
}

#[test]
fn a_second_attempt_has_another_lease_and_nothing_of_the_first() {
    let mut edge = trying();
    let (judged, ticket) = judged(&mut edge);
    assert!(judged.usage().is_none());
    assert!(edge.take_callouts().is_empty(), "nobody is asked before there is an attempt");
    let first = attempt(&mut edge, ticket, behind([]), &lease_body(|_| {}), NOW);
    assert_eq!(first, ["authorization=Bearer s3cret"]);
    edge.take_callouts();
    let other = lease_body(|lease| {
        lease["headers"] = json!([{"name": "x-api-key", "value": "new"}]);
    });
    let sent = behind([("authorization", "Bearer s3cret")]);
    let second = attempt(&mut edge, ticket, sent, &other, NOW + 1);
    assert_eq!(second, ["-authorization", "x-api-key=new"]);
    let told: Vec<_> = edge.take_callouts().into_iter().map(|callout| callout.purpose).collect();
    assert_eq!(told.first(), Some(&Purpose::Outcome));
}

#[test]
fn attempts_share_what_is_kept() {
    let mut edge = trying();
    let (_, ticket) = judged(&mut edge);
    attempt(&mut edge, ticket, behind([]), &lease_body(|_| {}), NOW);
    edge.attempts_ended(ticket, RequestOutcome { status: 200, details: b"via_upstream" }, at(NOW));
    edge.take_callouts();
    let (_, ticket) = judged(&mut edge);
    attempt(&mut edge, ticket, behind([]), b"", NOW + 1);
    assert!(edge.take_callouts().is_empty());
    // The last answer was a 401, too: the lease goes.
    edge.attempts_ended(
        ticket,
        RequestOutcome { status: 401, details: b"via_upstream" },
        at(NOW + 1),
    );
    assert_eq!(edge.take_callouts().len(), 1);
    let (_, ticket) = judged(&mut edge);
    assert!(matches!(edge.attempt(ticket, behind([]), at(NOW + 1)), Verdict::Wait(_)));
}

#[test]
fn without_a_ticket_that_is_open_nothing_is_written() {
    let mut edge = trying();
    let none = edge.attempt("7".parse().unwrap(), behind([]), at(NOW));
    assert_eq!(refused(none), Denial::NotConfigured);
    let (_, ticket) = judged(&mut edge);
    edge.attempts_ended(ticket, RequestOutcome::default(), at(NOW));
    assert_eq!(refused(edge.attempt(ticket, behind([]), at(NOW))), Denial::NotConfigured);
    let (_, ticket) = judged(&mut edge);
    let late = edge.attempt(ticket, behind([]), at(NOW + 700));
    assert!(matches!(refused(late), Denial::Session(_)), "its session has ended");
}

#[test]
fn ticket_of_another_vm_opens_nothing() {
    let mut edge = trying();
    let mut other = trying_with([8; 32]);
    let (_, ticket) = judged(&mut other);
    judged(&mut edge);
    assert_eq!(refused(edge.attempt(ticket, behind([]), at(NOW))), Denial::NotConfigured);
    assert!(edge.take_callouts().is_empty());
    let text = ticket.to_string();
    assert!(text.len() == 32 && text.parse() == Ok(ticket), "{text}");
}

#[test]
fn attempt_that_is_not_the_judged_request_gets_no_lease() {
    for (case, sent) in [
        ("method", plain("HEAD", "api.github.com", "/repos/acme/x")),
        ("path", plain("GET", "api.github.com", "/repos/acme/y")),
        ("query", plain("GET", "api.github.com", "/repos/acme/x?y")),
        ("host", plain("GET", "api.evil.test", "/repos/acme/x")),
        ("port", plain("GET", "api.github.com:8443", "/repos/acme/x")),
    ] {
        let mut edge = trying();
        let (_, ticket) = judged(&mut edge);
        assert_eq!(refused(edge.attempt(ticket, sent, at(NOW))), Denial::Internal, "{case}");
        assert!(edge.take_callouts().is_empty(), "{case}: custody is not asked");
        // The request that was judged still has its ticket.
        attempt(&mut edge, ticket, behind([]), &lease_body(|_| {}), NOW);
    }
}
