//! Keys that come from their issuer: before they come, when they change, when they do not come.

use super::tests::*;
use super::*;
use crate::TrustEdge;
use crate::policy::denial::Denial;
use crate::request::Request;
use crate::state::callout::{Answer, Callout, Purpose};
use crate::state::inflight::CompletedFetch;
use crate::state::log_event::{Left, LogEvent};
use proptest::prelude::*;
use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, Refusal};
use std::sync::LazyLock;

/// The issuer's next key.
static NEXT: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate(Algorithm::EdDsa, Some("k2")).unwrap());

/// The set of these keys.
fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

fn first() -> Value {
    config()["session"]["keys"]["jwks"]["keys"][0].clone()
}

fn next() -> Value {
    NEXT.public_jwk()
}

fn next_token() -> String {
    next_token_until(NOW + 600)
}

fn next_token_until(exp: u64) -> String {
    let mut claims = claims();
    claims["exp"] = json!(exp);
    NEXT.sign(&claims).unwrap()
}

fn edge() -> TrustEdge {
    let mut config = config();
    config["session"]["keys"] = json!({"cluster": "issuer", "path": "/jwks.json", "keep": "1h"});
    edge_of(&config)
}

fn ask(token: &str) -> Request {
    request("GET", "a.open.example", "/", token)
}

fn verdict(edge: &mut TrustEdge, token: &str, now: u64) -> Verdict {
    AwaitRequest::default().admit(edge, ask(token), at(now))
}

fn fetch(edge: &mut TrustEdge) -> Option<Callout> {
    let mut callouts = edge.take_callouts();
    assert!(callouts.len() < 2);
    callouts.pop()
}

fn ticked(edge: &mut TrustEdge, now: u64) -> Option<Callout> {
    edge.tick(at(now));
    fetch(edge)
}

fn comes(edge: &mut TrustEdge, callout: &Callout, answer: Answer<'_>, now: u64) -> CompletedFetch {
    edge.answered(callout.purpose, answer, at(now)).expect("a completed fetch")
}

fn set_comes(edge: &mut TrustEdge, callout: &Callout, keys: &[Value], now: u64) -> CompletedFetch {
    let body = set(keys);
    comes(edge, callout, Answer::Response { status: 200, body: body.as_bytes() }, now)
}

/// Has fetched the first key, at `NOW`.
fn informed() -> TrustEdge {
    let mut edge = edge();
    let callout = ticked(&mut edge, NOW).expect("a fetch at the start");
    set_comes(&mut edge, &callout, &[first()], NOW);
    edge.take_log_events();
    edge
}

fn is_served(edge: &mut TrustEdge, token: &str, now: u64) -> bool {
    matches!(verdict(edge, token, now), Verdict::Forward(_))
}

const UNKNOWN: Denial = Denial::Session(Refusal::UnknownKey);

#[test]
fn the_first_tick_fetches_and_a_first_request_that_is_there_before_waits() {
    let mut edge = edge();
    let Verdict::Wait(wait) = verdict(&mut edge, &token(), NOW) else { panic!("did not wait") };
    let callout = fetch(&mut edge).expect("a fetch");
    assert_eq!((callout.method, callout.cluster.as_str()), ("GET", "issuer"));
    assert_eq!((callout.authority.as_str(), callout.path.as_str()), ("cp.example", "/jwks.json"));
    assert_eq!(callout.timeout.as_secs(), 2);
    assert!(ticked(&mut edge, NOW).is_none(), "one at a time");
    let completed = set_comes(&mut edge, &callout, &[first()], NOW + 1);
    assert!(matches!(wait.settle(&mut edge, &completed, at(NOW + 1)), Verdict::Forward(_)));
    assert!(is_served(&mut edge, &token(), NOW + 1));
    assert_eq!(
        edge.take_log_events().iter().map(ToString::to_string).collect::<Vec<_>>(),
        [r#"the session keys of https://cp.example changed: added ["k1"]"#]
    );
}

#[test]
fn without_any_keys_everybody_is_denied_and_the_edge_goes_on_asking() {
    let broken = Answer::Response { status: 200, body: b"<html>" };
    let empty = Answer::Response { status: 200, body: br#"{"keys":[]}"# };
    let long = vec![b' '; 300 * 1024];
    let long = Answer::Response { status: 200, body: &long };
    let missing = Answer::Response { status: 404, body: b"" };
    let nowhere = Answer::NotSent(Denial::CustodyUnknownCluster);
    for answer in [broken, empty, long, missing, nowhere, Answer::Reset] {
        let mut edge = edge();
        let Verdict::Wait(wait) = verdict(&mut edge, &token(), NOW) else { panic!() };
        let callout = fetch(&mut edge).unwrap();
        let completed = comes(&mut edge, &callout, answer, NOW);
        let verdict_now = wait.settle(&mut edge, &completed, at(NOW));
        assert_eq!(refused(verdict_now), Denial::SessionKeysMissing);
        assert_eq!(refused(verdict(&mut edge, &token(), NOW)), Denial::SessionKeysMissing);
        assert!(edge.take_callouts().is_empty());
        let log_events = edge.take_log_events();
        assert!(
            matches!(&log_events[..], [LogEvent::KeysNotFetched { left: Left::None, .. }]),
            "{log_events:?}"
        );
        let callout = ticked(&mut edge, NOW + 1).expect("again, a second later");
        set_comes(&mut edge, &callout, &[first()], NOW + 1);
        assert!(is_served(&mut edge, &token(), NOW + 1));
    }
}

#[test]
fn who_is_too_large_or_names_no_key_does_not_wait() {
    let mut edge = edge();
    let mut denial = |token: &str| refused(verdict(&mut edge, token, NOW));
    for token in ["x", "a.b.c"] {
        assert_eq!(denial(token), Denial::Session(Refusal::Malformed), "{token}");
    }
    let no_issuer = "eyJhbGciOiJFZERTQSJ9.e30.AA";
    assert_eq!(denial(no_issuer), Denial::Session(Refusal::Claims("iss")));
    let stranger = token_with(|claims| claims["iss"] = json!("https://other.example"));
    assert_eq!(denial(&stranger), Denial::Session(Refusal::Issuer));
    let unnamed = NEXT.sign_with_header(&json!({"alg": "EdDSA"}), &claims()).unwrap();
    assert_eq!(denial(&unnamed), Denial::SessionKeysMissing);
    assert!(fetch(&mut edge).is_none());
}

#[test]
fn an_unknown_key_is_fetched_at_once_and_whoever_named_it_waits() {
    let mut edge = informed();
    assert_eq!(refused(verdict(&mut edge, &next_token(), NOW + 9)), UNKNOWN, "not so soon again");
    assert!(fetch(&mut edge).is_none());
    let waits: Vec<_> = (0..3).map(|_| verdict(&mut edge, &next_token(), NOW + 10)).collect();
    let callout = fetch(&mut edge).expect("one for all of them");
    assert!(is_served(&mut edge, &token(), NOW + 10), "nobody else waits");
    let completed = set_comes(&mut edge, &callout, &[first(), next()], NOW + 11);
    for wait in waits {
        let Verdict::Wait(wait) = wait else { panic!("did not wait") };
        assert!(matches!(wait.settle(&mut edge, &completed, at(NOW + 11)), Verdict::Forward(_)));
    }
    assert!(is_served(&mut edge, &token(), NOW + 11), "the old key, through the overlap");
}

/// Requests that wait are held in Envoy's memory, and a `kid` is free to forge: the bound is the VM's.
#[test]
fn no_more_than_the_bound_wait_for_keys_of_all_issuers_together() {
    const OTHER: &str = "https://other.example";
    let mut config = config();
    let issuers = ["https://cp.example", OTHER].map(|name| {
        let keys = json!({"cluster": "issuer", "path": "/jwks.json"});
        json!({"issuer": name, "audiences": ["leasehold-edge"], "keys": keys})
    });
    config["session"] = json!({"issuers": issuers});
    config["destinations"][0]["sessions"] = json!({});
    let mut edge = edge_of(&config);
    let tokens = [token(), token_with(|claims| claims["iss"] = json!(OTHER))];
    let ask = |edge: &mut TrustEdge| {
        let asked = tokens.iter().cycle().take(2000);
        let verdicts = asked.map(|token| verdict(edge, token, NOW));
        verdicts.filter(|verdict| matches!(verdict, Verdict::Wait(_))).count()
    };
    assert_eq!(ask(&mut edge), 1024);
    let callouts = edge.take_callouts();
    assert_eq!(callouts.len(), 2, "one fetch an issuer");
    set_comes(&mut edge, &callouts[0], &[first()], NOW);
    assert!(is_served(&mut edge, &tokens[0], NOW));
    assert_eq!(ask(&mut edge), 512, "those of the other issuer take the places that are free");
}

#[test]
fn a_key_that_the_issuer_does_not_know_either_is_waited_for_once() {
    let mut edge = informed();
    let Verdict::Wait(wait) = verdict(&mut edge, &next_token(), NOW + 10) else { panic!() };
    let callout = fetch(&mut edge).unwrap();
    let completed = set_comes(&mut edge, &callout, &[first()], NOW + 10);
    assert_eq!(refused(wait.settle(&mut edge, &completed, at(NOW + 10))), UNKNOWN);
    assert_eq!(refused(verdict(&mut edge, &next_token(), NOW + 19)), UNKNOWN);
    assert!(fetch(&mut edge).is_none());
}

/// The wait for the keys is followed by the one for the lease, and by no third.
#[test]
fn who_has_waited_for_the_keys_waits_for_its_lease() {
    let mut edge = edge();
    let asked = request("GET", "api.github.com", "/repos/acme/x", &token());
    let Verdict::Wait(wait) = AwaitRequest::default().admit(&mut edge, asked, at(NOW)) else {
        panic!()
    };
    let callout = fetch(&mut edge).unwrap();
    let completed = set_comes(&mut edge, &callout, &[first()], NOW);
    let Verdict::Wait(wait) = wait.settle(&mut edge, &completed, at(NOW)) else { panic!() };
    let callout = fetch(&mut edge).expect("a lease request");
    assert!(matches!(callout.purpose, Purpose::Lease(_)));
    let good = lease_body(|_| {});
    let answer = Answer::Response { status: 200, body: &good };
    assert_eq!(forwarded(settle(wait, &mut edge, answer, NOW)), ["authorization=Bearer s3cret"]);
}

#[test]
fn another_flight_settles_nobody() {
    let mut edge = informed();
    let Verdict::Wait(wait) = verdict(&mut edge, &next_token(), NOW + 10) else { panic!() };
    let first_fetch = fetch(&mut edge).unwrap();
    set_comes(&mut edge, &first_fetch, &[first()], NOW + 10);
    let _ = verdict(&mut edge, &next_token(), NOW + 20);
    let second = fetch(&mut edge).unwrap();
    let completed = set_comes(&mut edge, &second, &[first(), next()], NOW + 20);
    assert_eq!(refused(wait.settle(&mut edge, &completed, at(NOW + 20))), Denial::Internal);
}

#[test]
fn a_key_that_is_taken_out_is_out_also_for_who_was_verified_with_it() {
    let mut edge = informed();
    assert!(is_served(&mut edge, &token(), NOW + 1));
    let callout = ticked(&mut edge, NOW + 331).expect("a refresh");
    set_comes(&mut edge, &callout, &[next()], NOW + 331);
    assert_eq!(refused(verdict(&mut edge, &token(), NOW + 332)), UNKNOWN);
    assert!(is_served(&mut edge, &next_token(), NOW + 332));
}

/// The same `kid`, another key: a token of the old one is a forgery now, and one of the new is not
/// remembered as a forgery of before.
#[test]
fn a_key_that_is_replaced_under_its_kid() {
    let other = SigningKey::generate(Algorithm::EdDsa, Some("k1")).unwrap();
    let of_other = other.sign(&claims()).unwrap();
    let signature = Denial::Session(Refusal::Signature);
    let mut edge = informed();
    assert!(is_served(&mut edge, &token(), NOW + 325));
    assert_eq!(refused(verdict(&mut edge, &of_other, NOW + 325)), signature);
    let callout = ticked(&mut edge, NOW + 331).unwrap();
    set_comes(&mut edge, &callout, &[other.public_jwk()], NOW + 331);
    assert_eq!(refused(verdict(&mut edge, &token(), NOW + 331)), signature);
    assert!(is_served(&mut edge, &of_other, NOW + 331));
}

/// Two keys of one `kid` and one algorithm: neither is used, the others are, and the log has the reason.
#[test]
fn keys_that_become_doubtful_are_left_out_of_a_warm_edge_and_told() {
    let rival = SigningKey::generate(Algorithm::EdDsa, Some("k1")).unwrap().public_jwk();
    let mut edge = informed();
    assert!(is_served(&mut edge, &token(), NOW + 1));
    let callout = ticked(&mut edge, NOW + 331).unwrap();
    set_comes(&mut edge, &callout, &[first(), next(), rival], NOW + 331);
    assert_eq!(refused(verdict(&mut edge, &token(), NOW + 332)), UNKNOWN);
    assert!(is_served(&mut edge, &next_token(), NOW + 332));
    let told: Vec<_> = edge.take_log_events().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            r#"the session keys of https://cp.example changed: added ["k2"], removed ["k1"]; not used: keys[0]: keys[2] is another EdDSA key of the kid "k1"; neither is used; keys[2]: keys[0] is another EdDSA key of the kid "k1"; neither is used"#
        ]
    );
}

/// Members that are not used are logged when they come, and not at each refresh.
#[test]
fn a_bad_member_beside_the_same_keys_is_told_once_and_forgets_nobody() {
    let mut edge = informed();
    let long = token_with(|claims| claims["exp"] = json!(NOW + 3000));
    assert!(is_served(&mut edge, &long, NOW + 1));
    let nameless = json!({"kty": "OKP", "crv": "Ed25519", "x": next()["x"]});
    let told = [
        r#"the session keys of https://cp.example are as before; not used: keys[1].kid: must be a non-empty string; tokens name their key by it"#,
    ];
    let mut now = NOW;
    for told in [&told[..], &[]] {
        now += 331;
        let callout = ticked(&mut edge, now).unwrap();
        set_comes(&mut edge, &callout, &[first(), nameless.clone()], now);
        let log_events: Vec<_> = edge.take_log_events().iter().map(ToString::to_string).collect();
        assert_eq!(log_events, told);
    }
    assert_eq!(edge.sessions.len(), 1, "whoever was verified stays so");
}

#[test]
fn the_last_good_set_stays_while_the_issuer_is_down_and_not_for_ever() {
    let mut edge = informed();
    let long = token_with(|claims| claims["exp"] = json!(NOW + 3590));
    let mut fetches = 0_usize;
    for now in NOW + 1..NOW + 3600 {
        if now < NOW + 3590 {
            assert!(is_served(&mut edge, &long, now), "{}", now - NOW);
        }
        fetches += usize::from(ticked_in_vain(&mut edge, now));
    }
    assert!((40..80).contains(&fetches), "{fetches} fetches in an hour");
    assert!(edge.take_log_events().iter().all(|log_event| !log_event.is_grave()));
    let token = token_with(|claims| {
        claims["iat"] = json!(NOW + 3590);
        claims["exp"] = json!(NOW + 4000);
    });
    let now = (NOW + 3600..).find(|now| ticked_in_vain(&mut edge, *now)).unwrap();
    assert_eq!(refused(verdict(&mut edge, &token, now)), Denial::SessionKeysStale);
    assert!(edge.take_log_events().iter().all(LogEvent::is_grave));
    let (now, callout) =
        (now..).find_map(|now| Some((now, ticked(&mut edge, now)?))).expect("it goes on asking");
    set_comes(&mut edge, &callout, &[first()], now);
    assert!(is_served(&mut edge, &token, now), "it recovers by itself");
}

/// A tick that fetches, and gets nothing.
fn ticked_in_vain(edge: &mut TrustEdge, now: u64) -> bool {
    let callout = ticked(edge, now);
    callout.iter().for_each(|callout| drop(comes(edge, callout, Answer::Reset, now)));
    callout.is_some()
}

proptest! {
    /// In every order of the issuer's answers and of requests: only sessions that the last good set verifies pass.
    #[test]
    fn nobody_is_served_by_a_key_that_is_not_in_the_set(
        events in prop::collection::vec((0..6u8, 1..40u64), 1..40),
    ) {
        let mut edge = edge();
        let mut now = NOW;
        // Which keys are in the set the edge has, and since when.
        let mut known = (false, false);
        let mut open: Option<Callout> = None;
        for (event, wait) in events {
            now += wait;
            let answer = open.take_if(|_| event < 4);
            if let Some(callout) = answer {
                let (one, two) = (event & 1 == 1, event & 2 == 2);
                let keys: Vec<_> =
                    [one.then(first), two.then(next)].into_iter().flatten().collect();
                if !keys.is_empty() {
                    known = (one, two);
                }
                set_comes(&mut edge, &callout, &keys, now);
            }
            let tokens = [
                token_with(|claims| claims["exp"] = json!(now + 60)),
                next_token_until(now + 60),
            ];
            for (token, known) in tokens.iter().zip([known.0, known.1]) {
                prop_assert_eq!(is_served(&mut edge, token, now), known);
            }
            edge.tick(at(now));
            let callouts = edge.take_callouts();
            prop_assert!(callouts.len() + usize::from(open.is_some()) < 2);
            open = callouts.into_iter().next().or(open);
        }
    }
}
