//! A lease's life: kept, shared, renewed, dropped.

use super::tests::*;
use super::*;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::callout::{Answer, Callout, Purpose};
use crate::state::lease_usage::{LeaseUsage, RequestOutcome};
use crate::{Now, TrustEdge};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

fn ask() -> Request {
    request("GET", "api.github.com", "/repos/acme/x", &token())
}

fn admit_at(edge: &mut TrustEdge, request: Request, now: Now) -> Verdict {
    AwaitRequest::default().admit(edge, request, now)
}

/// `wall` and `steady`, seconds after `NOW`.
fn clocks(wall: i64, steady: u64) -> Now {
    let wall = NOW.saturating_add_signed(wall);
    Now { wall: Duration::from_secs(wall), steady: Duration::from_secs(NOW + steady) }
}

/// An edge that holds the lease for [`ask`], from `NOW` to `NOW` + 300, due from 240.
fn holding() -> TrustEdge {
    let mut edge = edge();
    let (wait, _) = asked(&mut edge, ask());
    let good = lease_body(|_| {});
    let verdict = settle(wait, &mut edge, Answer::Response { status: 200, body: &good }, NOW);
    assert!(matches!(verdict, Verdict::Forward(_)));
    edge
}

fn is_forwarded(edge: &mut TrustEdge, now: Now) -> bool {
    matches!(admit_at(edge, ask(), now), Verdict::Forward(_))
}

fn renewal(edge: &mut TrustEdge) -> Option<Callout> {
    let mut callouts = edge.take_callouts();
    assert!(callouts.len() < 2);
    callouts.pop()
}

fn other_lease(value: &str) -> Vec<u8> {
    lease_body(|lease| {
        lease["lease_id"] = json!("lse-2");
        lease["expires_at"] = json!(NOW + 550);
        lease["renew_after"] = json!(NOW + 500);
        lease["headers"][0]["value"] = json!(value);
    })
}

// === the end ===

#[test]
fn what_has_ended_is_forgotten_when_nobody_asks_for_it_any_more() {
    let mut edge = holding();
    // The session ends NOW + 600; it is kept 30 seconds longer, should the clock be set back.
    for (seconds, leases, sessions) in [(299, 1, 1), (305, 0, 1), (625, 0, 1), (631, 0, 0)] {
        edge.tick(at(NOW + seconds));
        assert_eq!((edge.leases.len(), edge.sessions.len()), (leases, sessions), "{seconds}");
    }
}

#[test]
fn a_clock_set_back_makes_nothing_last_longer() {
    let mut edge = holding();
    edge.tick(clocks(-3600, 299));
    assert_eq!(edge.leases.len(), 1);
    edge.tick(clocks(-3600, 305));
    assert_eq!(edge.leases.len(), 0);
}

// === renewal ===

#[test]
fn a_lease_is_renewed_ahead_of_its_end_and_nobody_waits() {
    let mut edge = holding();
    assert!(is_forwarded(&mut edge, at(NOW + 239)));
    assert!(renewal(&mut edge).is_none());
    // A quarter of the last minute is jitter.
    assert_eq!(
        forwarded(admit_at(&mut edge, ask(), at(NOW + 255))),
        ["authorization=Bearer s3cret"]
    );
    let callout = renewal(&mut edge).expect("a renewal");
    let body: Value = serde_json::from_slice(&callout.body).unwrap();
    assert_eq!(body["session"], token().as_str());
    // One is enough.
    assert!(is_forwarded(&mut edge, at(NOW + 256)));
    assert!(renewal(&mut edge).is_none());
    let new = other_lease("Bearer new");
    let answer = Answer::Response { status: 200, body: &new };
    edge.answered(callout.purpose, answer, at(NOW + 257));
    assert_eq!(forwarded(admit_at(&mut edge, ask(), at(NOW + 301))), ["authorization=Bearer new"]);
}

#[test]
fn a_renewal_that_fails_leaves_the_lease_and_is_tried_again() {
    let unavailable = Answer::Response { status: 503, body: br#"{"code":"unavailable"}"# };
    let too_often = Answer::Response { status: 429, body: br#"{"code":"rate_limited"}"# };
    for answer in [unavailable, too_often, Answer::Reset, Answer::NotSent(Denial::CustodyTimeout)] {
        let mut edge = holding();
        assert!(is_forwarded(&mut edge, at(NOW + 260)));
        let callout = renewal(&mut edge).expect("a renewal");
        edge.answered(callout.purpose, answer, at(NOW + 260));
        assert!(is_forwarded(&mut edge, at(NOW + 264)));
        assert!(renewal(&mut edge).is_none(), "not again at once");
        assert!(is_forwarded(&mut edge, at(NOW + 265)));
        assert!(renewal(&mut edge).is_some());
        // Its end is its end, whatever becomes of the renewal: who comes now waits for that.
        assert!(matches!(admit_at(&mut edge, ask(), at(NOW + 300)), Verdict::Wait(_)));
        assert!(renewal(&mut edge).is_none(), "the fetch under way serves this one too");
    }
}

/// Near its session's end every lease comes due. That must not make a callout of every request.
#[test]
fn a_lease_that_comes_due_is_not_renewed_by_every_request() {
    let due = lease_body(|lease| lease["renew_after"] = json!(NOW));
    let mut edge = edge();
    let (wait, _) = asked(&mut edge, ask());
    settle(wait, &mut edge, Answer::Response { status: 200, body: &due }, NOW);
    let mut callouts = 0;
    for second in 0..300 {
        for _ in 0..10 {
            assert!(is_forwarded(&mut edge, at(NOW + second)));
        }
        let Some(callout) = renewal(&mut edge) else { continue };
        callouts += 1;
        let due = lease_body(|lease| lease["renew_after"] = json!(NOW + second));
        let answer = Answer::Response { status: 200, body: &due };
        edge.answered(callout.purpose, answer, at(NOW + second));
    }
    assert!((1..60).contains(&callouts), "{callouts} callouts in five minutes");
}

#[test]
fn a_renewal_that_is_refused_ends_the_lease() {
    let mut edge = holding();
    assert!(is_forwarded(&mut edge, at(NOW + 260)));
    let callout = renewal(&mut edge).unwrap();
    let answer = Answer::Response { status: 401, body: br#"{"code":"session_refused"}"# };
    edge.answered(callout.purpose, answer, at(NOW + 261));
    assert!(matches!(admit_at(&mut edge, ask(), at(NOW + 261)), Verdict::Wait(_)));
}

#[test]
fn a_wall_clock_set_back_gives_a_lease_no_time() {
    for wall in [-100_000, -1, 0, 100] {
        let mut edge = holding();
        assert!(is_forwarded(&mut edge, clocks(wall.max(-5), 299)));
        let mut edge = holding();
        let session_long_past = clocks(wall.max(-5), 300);
        assert!(!is_forwarded(&mut edge, session_long_past), "{wall}");
    }
    // And one set ahead takes some.
    assert!(!is_forwarded(&mut holding(), clocks(300, 1)));
}

// === single flight ===

#[test]
fn a_thousand_requests_make_one_callout() {
    let mut edge = edge();
    let (first, callout) = asked(&mut edge, ask());
    let mut waits = vec![first];
    for _ in 1..1000 {
        match admit(&mut edge, ask()) {
            Verdict::Wait(wait) => waits.push(wait),
            _ => panic!("did not wait"),
        }
    }
    assert!(edge.take_callouts().is_empty());
    let good = lease_body(|_| {});
    let answer = Answer::Response { status: 200, body: &good };
    let completed = edge.answered(callout.purpose, answer, at(NOW)).unwrap();
    for wait in waits {
        assert_eq!(
            forwarded(wait.settle(&mut edge, &completed, at(NOW))),
            ["authorization=Bearer s3cret"]
        );
    }
    assert!(edge.answered(callout.purpose, answer, at(NOW)).is_none(), "a fetch completes once");
}

#[test]
fn a_failure_is_for_all_who_wait_and_for_nobody_after() {
    let mut edge = edge();
    let (first, callout) = asked(&mut edge, ask());
    let Verdict::Wait(second) = admit(&mut edge, ask()) else { panic!("did not wait") };
    let completed = edge.answered(callout.purpose, Answer::Reset, at(NOW)).unwrap();
    for wait in [first, second] {
        assert_eq!(
            refused(wait.settle(&mut edge, &completed, at(NOW))),
            Denial::CustodyUnavailable
        );
    }
    asked(&mut edge, ask());
}

#[test]
fn a_flight_serves_its_own_scope() {
    let mut edge = edge();
    let (first, callout) = asked(&mut edge, ask());
    let other = token_with(|claims| claims["jti"] = json!("j-2"));
    let (second, _) = asked(&mut edge, request("GET", "api.github.com", "/repos/acme/x", &other));
    assert_ne!(first.fetch(), second.fetch());
    let good = lease_body(|_| {});
    let answer = Answer::Response { status: 200, body: &good };
    let completed = edge.answered(callout.purpose, answer, at(NOW)).unwrap();
    assert_eq!(refused(second.settle(&mut edge, &completed, at(NOW))), Denial::Internal);
    assert!(matches!(first.settle(&mut edge, &completed, at(NOW)), Verdict::Forward(_)));
}

#[test]
fn a_turn_that_comes_too_late_gets_nothing() {
    let mut edge = edge();
    let (wait, callout) = asked(&mut edge, ask());
    let good = lease_body(|_| {});
    let answer = Answer::Response { status: 200, body: &good };
    let completed = edge.answered(callout.purpose, answer, at(NOW)).unwrap();
    let expired = Denial::Lease(lease::LeaseFault::Expired);
    assert_eq!(refused(wait.settle(&mut edge, &completed, at(NOW + 300))), expired);
}

// === a credential that the upstream does not take ===

fn usage(verdict: Verdict) -> LeaseUsage {
    match verdict {
        Verdict::Forward(forwarded) => forwarded.usage().unwrap().clone(),
        _ => panic!("not forwarded"),
    }
}

#[test]
fn an_upstreams_401_drops_the_lease() {
    let status = |status| RequestOutcome { status, details: b"via_upstream" };
    let mut edge = holding();
    let taken = usage(admit_at(&mut edge, ask(), at(NOW + 10)));
    for other in [0, 200, 403, 407, 500] {
        assert!(!taken.needs_report(other), "{other}");
        edge.ended(&taken, status(other), at(NOW + 10));
        assert!(is_forwarded(&mut edge, at(NOW + 10)), "{other}");
    }
    assert!(taken.needs_report(401));
    edge.ended(&taken, status(401), at(NOW + 10));
    let Verdict::Wait(wait) = admit_at(&mut edge, ask(), at(NOW + 10)) else { panic!("served") };
    let new = other_lease("Bearer new");
    settle(wait, &mut edge, Answer::Response { status: 200, body: &new }, NOW + 10);
    // A request with the old lease that ends later does not take the new one.
    edge.ended(&taken, status(401), at(NOW + 20));
    assert_eq!(forwarded(admit_at(&mut edge, ask(), at(NOW + 20))), ["authorization=Bearer new"]);
}

/// The edge uses the next lease of custody for a while, refused or not.
#[test]
fn a_guest_that_makes_its_upstream_refuse_has_custody_asked_every_five_seconds_at_most() {
    let refusal = RequestOutcome { status: 401, details: b"via_upstream" };
    let good = |edge: &mut TrustEdge, second: u64| {
        let Verdict::Wait(wait) = admit_at(edge, ask(), at(NOW + second)) else { panic!("served") };
        let new = other_lease("Bearer new");
        let answer = Answer::Response { status: 200, body: &new };
        edge.take_callouts();
        usage(settle(wait, edge, answer, NOW + second))
    };
    let mut edge = holding();
    let taken = usage(admit(&mut edge, ask()));
    edge.ended(&taken, refusal, at(NOW));
    let taken = good(&mut edge, 1);
    for second in 1..5 {
        edge.ended(&taken, refusal, at(NOW + second));
        assert!(is_forwarded(&mut edge, at(NOW + second)));
    }
    edge.ended(&taken, refusal, at(NOW + 5));
    good(&mut edge, 5);
}

// === sessions ===

#[test]
fn a_forged_token_is_remembered_briefly_and_a_good_one_is_none() {
    let mut edge = edge();
    let mut forged = token().into_bytes();
    *forged.last_mut().unwrap() = if forged.ends_with(b"A") { b"Q" } else { b"A" }[0];
    let middle = forged.len() - 20;
    forged[middle] = if forged[middle] == b'x' { b'y' } else { b'x' };
    let forged = String::from_utf8(forged).unwrap();
    for _ in 0..3 {
        let request = request("GET", "a.open.example", "/", &forged);
        assert!(matches!(denied(&mut edge, request), Denial::Session(_)));
    }
    assert!(matches!(
        admit(&mut edge, request("GET", "a.open.example", "/", &token())),
        Verdict::Forward(_)
    ));
}

// === any order of events ===

#[derive(Clone, Debug)]
enum Event {
    Ask,
    Pass(u64),
    SetWall(i64),
    Answer(usize, bool),
    Refused(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => Just(Event::Ask),
        2 => (0u64..200).prop_map(Event::Pass),
        1 => (-400i64..400).prop_map(Event::SetWall),
        3 => (0usize..4, any::<bool>()).prop_map(|(n, good)| Event::Answer(n, good)),
        1 => (0usize..8).prop_map(Event::Refused),
    ];
    proptest::collection::vec(event, 1..40)
}

proptest! {
    /// In every order of events: a lease is used only before its end by both clocks, every
    /// wait is settled by its fetch, and there is one callout under way for one scope.
    #[test]
    fn no_order_of_events_uses_a_lease_past_its_end(events in events()) {
        let mut edge = edge();
        let (mut steady, mut offset) = (0u64, 0i64);
        let mut flying: Vec<(Callout, Vec<Wait>)> = Vec::new();
        let mut taken: Vec<LeaseUsage> = Vec::new();
        // The steady second in which the newest lease ends.
        let mut ends = 0;
        for event in events {
            let now = clocks(i64::try_from(steady).unwrap() + offset, steady);
            match event {
                Event::Pass(seconds) => steady += seconds,
                Event::SetWall(by) => offset = by,
                Event::Ask => match admit_at(&mut edge, ask(), now) {
                    Verdict::Forward(forwarded) => {
                        prop_assert!(steady < ends);
                        taken.extend(forwarded.usage().cloned());
                        flying.extend(edge.take_callouts().into_iter().map(|call| (call, vec![])));
                    }
                    Verdict::Wait(wait) => {
                        flying.extend(edge.take_callouts().into_iter().map(|call| (call, vec![])));
                        let own = |call: &Callout| call.purpose == Purpose::Lease(wait.fetch());
                        let fetch = flying.iter_mut().find(|(call, _)| own(call));
                        fetch.expect("a wait without a fetch").1.push(wait);
                    }
                    Verdict::Read(_) => prop_assert!(false, "a body was wanted"),
                    Verdict::Deny(denied) | Verdict::RefuseInTunnel(denied) => {
                        prop_assert!(matches!(denied.denial(), Denial::Session(_)));
                    }
                },
                Event::Answer(n, good) if n < flying.len() => {
                    let (callout, waits) = flying.remove(n);
                    let body = lease_body(|lease| {
                        lease["expires_at"] = json!(now.unix() + 300);
                        lease["renew_after"] = json!(now.unix() + 200);
                    });
                    let status = if good { 200 } else { 503 };
                    let answer = Answer::Response { status, body: &body };
                    let completed = edge.answered(callout.purpose, answer, now).unwrap();
                    if good {
                        ends = steady + 300;
                    }
                    for wait in waits {
                        if let Verdict::Forward(_) = wait.settle(&mut edge, &completed, now) {
                            prop_assert!(good);
                        }
                    }
                }
                Event::Refused(n) => if let Some(usage) = taken.get(n) {
                    edge.ended(usage, RequestOutcome { status: 401, details: b"via_upstream" }, now);
                    let told = edge.take_callouts();
                    prop_assert!(told.iter().all(|call| call.purpose == Purpose::Outcome));
                },
                Event::Answer(..) => {}
            }
            prop_assert!(flying.len() < 2, "one scope, one callout");
        }
    }
}
