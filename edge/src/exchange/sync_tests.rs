//! An update from custody takes hold: on cached leases, on waits, on every request.

use super::tests::*;
use super::*;
use crate::TrustEdge;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::callout::{Answer, Callout, Purpose};
use serde_json::{Value, json};

fn edge() -> TrustEdge {
    let mut config = config();
    config["custody"] = json!({"cluster": "custody"});
    edge_of(&config)
}

fn ask() -> Request {
    request("GET", "api.github.com", "/repos/acme/x", &token())
}

fn open() -> Request {
    request("GET", "a.open.example", "/", &token())
}

fn connect() -> Request {
    let bearer = format!("Bearer {}", token());
    with(plain("CONNECT", "api.github.com:443", ""), [("proxy-authorization", bearer.as_str())])
}

fn verdict(edge: &mut TrustEdge, request: Request, now: u64) -> Verdict {
    AwaitRequest::default().admit(edge, request, at(now))
}

/// The one callout of a tick.
fn ticked(edge: &mut TrustEdge, now: u64) -> Option<Callout> {
    edge.tick(at(now));
    edge.take_callouts().into_iter().find(|callout| callout.purpose == Purpose::Sync)
}

fn hear(edge: &mut TrustEdge, news: &Value, now: u64) {
    let body = news.to_string();
    let answer = Answer::Response { status: 200, body: body.as_bytes() };
    assert!(edge.answered(Purpose::Sync, answer, at(now)).is_none());
}

fn news(full: bool, kill_switch: bool, changes: &[(&str, &str, bool)]) -> Value {
    let changes = changes.iter().map(|(kind, id, revoked)| {
        let issuer = if *kind == "session" { "https://cp.example#" } else { "" };
        json!({"kind": kind, "id": format!("{issuer}{id}"), "revoked": revoked})
    });
    let changes: Vec<_> = changes.collect();
    json!({"cursor": "c1", "full": full, "kill_switch": kill_switch, "changes": changes})
}

/// Has a lease, and an update in which nothing is revoked.
fn informed() -> TrustEdge {
    let mut edge = edge();
    let (wait, _) = asked(&mut edge, ask());
    let good = lease_body(|_| {});
    settle(wait, &mut edge, Answer::Response { status: 200, body: &good }, NOW);
    ticked(&mut edge, NOW).expect("a first poll");
    hear(&mut edge, &news(true, false, &[]), NOW);
    edge.take_callouts();
    edge
}

#[test]
fn the_first_answer_is_wanted_at_once_and_the_next_when_there_is_news() {
    let mut edge = edge();
    let first = ticked(&mut edge, NOW).unwrap();
    assert_eq!((first.method, first.path.as_str()), ("GET", "/v1/sync?wait=0"));
    assert_eq!(first.timeout.as_secs(), 2);
    assert!(ticked(&mut edge, NOW + 1).is_none(), "one at a time");
    hear(&mut edge, &news(true, false, &[]), NOW + 1);
    let next = edge.take_callouts().pop().unwrap();
    assert_eq!((next.path.as_str(), next.timeout.as_secs()), ("/v1/sync?cursor=c1&wait=20", 22));
    edge.answered(Purpose::Sync, Answer::Reset, at(NOW + 2));
    assert!(edge.take_callouts().is_empty(), "a pause after a failure");
    assert_eq!(ticked(&mut edge, NOW + 3).unwrap().path, "/v1/sync?cursor=c1&wait=0");
}

#[test]
fn a_revoked_session_is_over_everywhere() {
    let mut edge = informed();
    assert!(matches!(verdict(&mut edge, ask(), NOW + 1), Verdict::Forward(_)));
    hear(&mut edge, &news(false, false, &[("session", "j-1", true)]), NOW + 1);
    for request in [ask(), open(), connect()] {
        assert_eq!(refused(verdict(&mut edge, request, NOW + 1)), Denial::SessionRevoked);
    }
    let other = token_with(|claims| claims["jti"] = json!("j-2"));
    let request = request("GET", "a.open.example", "/", &other);
    assert!(matches!(verdict(&mut edge, request, NOW + 1), Verdict::Forward(_)));
    // Taken back: it passes again, and its lease of then is gone.
    hear(&mut edge, &news(false, false, &[("session", "j-1", false)]), NOW + 2);
    assert!(matches!(verdict(&mut edge, ask(), NOW + 2), Verdict::Wait(_)));
}

#[test]
fn a_revoked_handle_and_a_revoked_lease() {
    let mut edge = informed();
    hear(&mut edge, &news(false, false, &[("lease", "lse-1", true)]), NOW + 1);
    let Verdict::Wait(wait) = verdict(&mut edge, ask(), NOW + 1) else { panic!("served") };
    // The very same lease again is none.
    let same = lease_body(|_| {});
    let answer = Answer::Response { status: 200, body: &same };
    assert_eq!(refused(settle(wait, &mut edge, answer, NOW + 1)), Denial::CustodyRefused);
    hear(&mut edge, &news(false, false, &[("handle", "github-ci", true)]), NOW + 2);
    assert_eq!(refused(verdict(&mut edge, ask(), NOW + 2)), Denial::HandleRevoked);
    assert!(matches!(verdict(&mut edge, open(), NOW + 2), Verdict::Forward(_)));
    // The whole state does not name it any more.
    hear(&mut edge, &news(true, false, &[]), NOW + 3);
    assert!(matches!(verdict(&mut edge, ask(), NOW + 3), Verdict::Wait(_)));
}

#[test]
fn the_kill_switch_stops_everything_until_it_is_off() {
    let mut edge = informed();
    hear(&mut edge, &news(false, true, &[]), NOW + 1);
    for request in [ask(), open(), connect()] {
        assert_eq!(refused(verdict(&mut edge, request, NOW + 1)), Denial::KillSwitch);
    }
    hear(&mut edge, &news(false, false, &[]), NOW + 2);
    assert!(matches!(verdict(&mut edge, open(), NOW + 2), Verdict::Forward(_)));
}

#[test]
fn whoever_waits_when_the_news_comes_gets_nothing() {
    for (news, denial) in [
        (news(false, false, &[("session", "j-1", true)]), Denial::SessionRevoked),
        (news(false, false, &[("handle", "github-ci", true)]), Denial::HandleRevoked),
        (news(false, true, &[]), Denial::KillSwitch),
        (news(false, false, &[("lease", "lse-1", true)]), Denial::CustodyRefused),
    ] {
        let mut edge = edge();
        let (wait, _) = asked(&mut edge, ask());
        ticked(&mut edge, NOW);
        hear(&mut edge, &news, NOW);
        let good = lease_body(|_| {});
        let answer = Answer::Response { status: 200, body: &good };
        assert_eq!(refused(settle(wait, &mut edge, answer, NOW)), denial);
    }
}

#[test]
fn a_feed_that_is_too_old_denies_credentials_and_recovers_by_itself() {
    let mut edge = informed();
    let fails = |edge: &mut TrustEdge, now| {
        edge.tick(at(now));
        for callout in edge.take_callouts() {
            edge.answered(callout.purpose, Answer::Reset, at(now));
        }
    };
    edge.answered(Purpose::Sync, Answer::Reset, at(NOW));
    for now in NOW..=NOW + 30 {
        fails(&mut edge, now);
        assert!(matches!(verdict(&mut edge, ask(), now), Verdict::Forward(_)), "{now}");
    }
    for now in [NOW + 31, NOW + 90] {
        fails(&mut edge, now);
        assert_eq!(edge.revocations_age(at(now)).unwrap().as_secs(), now - NOW);
        assert_eq!(refused(verdict(&mut edge, ask(), now)), Denial::RevocationsStale);
        assert!(matches!(verdict(&mut edge, open(), now), Verdict::Forward(_)));
    }
    ticked(&mut edge, NOW + 95).expect("it goes on asking");
    hear(&mut edge, &news(true, false, &[]), NOW + 95);
    assert!(matches!(verdict(&mut edge, ask(), NOW + 95), Verdict::Forward(_)));
}

#[test]
fn a_start_without_news_is_served_by_custodys_own_leases_for_a_while() {
    let mut edge = edge();
    let (wait, _) = asked(&mut edge, ask());
    let good = lease_body(|_| {});
    let answer = Answer::Response { status: 200, body: &good };
    assert!(matches!(settle(wait, &mut edge, answer, NOW), Verdict::Forward(_)));
    assert!(matches!(verdict(&mut edge, ask(), NOW + 30), Verdict::Forward(_)));
    assert_eq!(refused(verdict(&mut edge, ask(), NOW + 31)), Denial::RevocationsStale);
}

#[test]
fn nonsense_is_no_news() {
    let mut edge = informed();
    let mut extra = news(true, false, &[]);
    extra["extra"] = json!(1);
    for (status, body) in [(200, "{}"), (200, ""), (404, "{}"), (200, &*extra.to_string())] {
        edge.answered(
            Purpose::Sync,
            Answer::Response { status, body: body.as_bytes() },
            at(NOW + 9),
        );
        assert!(edge.take_callouts().iter().all(|callout| callout.purpose != Purpose::Sync));
    }
    assert_eq!(refused(verdict(&mut edge, ask(), NOW + 31)), Denial::RevocationsStale);
}

#[test]
fn off_is_off() {
    let mut edge = edge_of(&config());
    assert!(ticked(&mut edge, NOW + 100).is_none());
    assert_eq!(edge.revocations_age(at(NOW + 100)), None);
    asked(&mut edge, ask());
}
