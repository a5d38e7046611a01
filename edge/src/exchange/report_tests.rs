//! Which sessions are in use: custody has each of them in time, also if a report is lost.

use super::tests::*;
use super::*;
use crate::TrustEdge;
use crate::policy::denial::Denial;
use crate::state::callout::{Answer, Callout, Purpose};
use crate::state::log_event::LogEvent;
use lease::{SEEN_BODY_LIMIT, SEEN_LIMIT, SeenReport};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::collections::BTreeSet;

const RECORDED: Answer<'_> = Answer::Response { status: 204, body: b"" };
const REFUSED: Answer<'_> = Answer::Response { status: 400, body: br#"{"code":"bad_request"}"# };
/// Seconds, at most: from one round to the next, and from a lost report to its repetition.
const ROUND: u64 = 25;
const PAUSE: u64 = 4;

fn edge() -> TrustEdge {
    let mut config = config();
    config["custody"] = json!({"cluster": "custody"});
    edge_of(&config)
}

fn named(name: &str) -> String {
    token_with(|claims| claims["jti"] = json!(name))
}

#[track_caller]
fn uses(edge: &mut TrustEdge, token: &str, now: u64) {
    let request = request("GET", "a.open.example", "/", token);
    let verdict = AwaitRequest::default().admit(edge, request, at(now));
    assert!(matches!(verdict, Verdict::Forward(_)));
}

fn report(callouts: Vec<Callout>) -> Option<Vec<String>> {
    let mut reports = callouts.into_iter().filter(|callout| callout.purpose == Purpose::Seen);
    let report = reports.next()?;
    assert!(reports.next().is_none(), "one at a time");
    assert_eq!((report.method, report.path.as_str()), ("POST", "/v1/seen"));
    assert!(report.body.len() <= SEEN_BODY_LIMIT, "{} bytes", report.body.len());
    let names = SeenReport::decode(&report.body).unwrap().sessions;
    let own = |name: String| name.strip_prefix("https://cp.example#").unwrap().to_owned();
    Some(names.into_iter().map(own).collect())
}

fn ticked(edge: &mut TrustEdge, now: u64) -> Option<Vec<String>> {
    edge.tick(at(now));
    report(edge.take_callouts())
}

/// The report that follows the answer at once.
fn answered(edge: &mut TrustEdge, answer: Answer<'_>, now: u64) -> Option<Vec<String>> {
    assert!(edge.answered(Purpose::Seen, answer, at(now)).is_none());
    report(edge.take_callouts())
}

/// Ticks until a report is sent: the second in which it is, and its names.
#[track_caller]
fn next_report(edge: &mut TrustEdge, from: u64, to: u64) -> (u64, Vec<String>) {
    (from..=to)
        .find_map(|now| ticked(edge, now).map(|names| (now, names)))
        .unwrap_or_else(|| panic!("no report from {from} to {to}"))
}

/// The sessions that custody records from one round, and the number of reports.
fn recorded(edge: &mut TrustEdge, from: u64) -> (BTreeSet<String>, usize) {
    let (now, mut names) = next_report(edge, from, from + ROUND);
    let (mut all, mut reports) = (BTreeSet::new(), 0);
    loop {
        all.extend(names);
        reports += 1;
        match answered(edge, RECORDED, now) {
            Some(next) => names = next,
            None => return (all, reports),
        }
    }
}

#[test]
fn sessions_in_use_are_reported_once_a_round() {
    let mut edge = edge();
    uses(&mut edge, &named("j-1"), NOW);
    uses(&mut edge, &named("j-1"), NOW + 1);
    assert_eq!(ticked(&mut edge, NOW + 19), None);
    assert_eq!(ticked(&mut edge, NOW + 20), Some(vec!["j-1".into()]));
    assert_eq!(answered(&mut edge, RECORDED, NOW + 20), None);
    for second in 21..100 {
        assert_eq!(ticked(&mut edge, NOW + second), None, "nobody was there");
    }
    uses(&mut edge, &named("j-1"), NOW + 100);
    let (now, names) = next_report(&mut edge, NOW + 100, NOW + 100 + ROUND);
    assert_eq!(names, ["j-1"]);
    // In use while its report is under way: that is for the next round.
    uses(&mut edge, &named("j-1"), now);
    assert_eq!(answered(&mut edge, RECORDED, now), None);
    assert_eq!(next_report(&mut edge, now + 20, now + ROUND).1, ["j-1"]);
}

#[test]
fn a_lost_report_is_repeated_within_seconds_until_it_is_confirmed() {
    let unavailable = Answer::Response { status: 503, body: br#"{"code":"unavailable"}"# };
    let elsewhere = Answer::Response { status: 404, body: b"<html>" };
    let unsent = Answer::NotSent(Denial::CustodyTimeout);
    for lost in [unavailable, elsewhere, Answer::Reset, unsent] {
        let mut edge = edge();
        uses(&mut edge, &named("j-1"), NOW);
        let (mut now, names) = next_report(&mut edge, NOW, NOW + ROUND);
        assert_eq!(names, ["j-1"]);
        for _ in 0..20 {
            assert_eq!(answered(&mut edge, lost, now), None, "a pause first");
            assert_eq!(ticked(&mut edge, now + 1), None);
            let (then, names) = next_report(&mut edge, now + 2, now + PAUSE);
            assert!(names.contains(&"j-1".into()));
            now = then;
        }
        // What was in use meanwhile goes along.
        uses(&mut edge, &named("j-2"), now);
        let mut names = Vec::new();
        while names.len() < 2 {
            answered(&mut edge, lost, now);
            (now, names) = next_report(&mut edge, now + 1, now + PAUSE);
        }
        assert_eq!(answered(&mut edge, RECORDED, now), None);
        assert!((1..100).all(|second| ticked(&mut edge, now + second).is_none()));
    }
}

#[test]
fn the_longest_names_fill_several_reports_and_each_is_within_the_limit() {
    let mut edge = edge();
    let mut lengths = std::collections::BTreeMap::new();
    // The payload of a token of 8 KiB; escapes count as JSON has them.
    for (n, filler) in ["x", "\"", "\n", "\u{7f}", "\u{e9}"].iter().cycle().take(120).enumerate() {
        let name = |length: usize| format!("{n}-{}", filler.repeat(length));
        let longest = *lengths.entry(*filler).or_insert_with(|| {
            let all: Vec<_> = (1..=6000).collect();
            // A few less: the number in the name grows.
            all.partition_point(|length| named(&name(*length)).len() <= 8192 - 8)
        });
        uses(&mut edge, &named(&name(longest)), NOW);
    }
    let (all, reports) = recorded(&mut edge, NOW + 1);
    assert_eq!(all.len(), 120);
    assert!(reports > 1, "{reports}");
}

#[test]
fn many_sessions_are_all_reported_in_one_round() {
    let mut edge = edge();
    let sessions = 2 * SEEN_LIMIT + 1;
    for n in 0..sessions {
        uses(&mut edge, &named(&format!("j-{n}")), NOW);
    }
    let (all, reports) = recorded(&mut edge, NOW + 1);
    assert_eq!((all.len(), reports), (sessions, 3));
}

#[test]
fn a_name_that_custody_refuses_is_left_out_and_the_others_are_recorded() {
    let mut edge = edge();
    for n in 0..40 {
        uses(&mut edge, &named(&format!("j-{n}")), NOW);
    }
    let (mut now, mut names) = next_report(&mut edge, NOW, NOW + ROUND);
    let (mut recorded, began) = (BTreeSet::new(), now);
    while recorded.len() < 39 {
        let is_refused = names.iter().any(|name| name == "j-17");
        let answer = if is_refused { REFUSED } else { RECORDED };
        if !is_refused {
            recorded.extend(names);
        }
        names = answered(&mut edge, answer, now).unwrap_or_else(|| {
            if recorded.len() == 39 {
                return Vec::new();
            }
            let (then, names) = next_report(&mut edge, now + 1, now + PAUSE);
            now = then;
            names
        });
    }
    assert!(now - began <= PAUSE, "after {} s", now - began);
    assert_eq!(edge.take_log_events(), [LogEvent::SessionNotReported]);
    assert!((1..100).all(|second| ticked(&mut edge, now + second).is_none()));
}

#[test]
fn a_custody_that_refuses_everything_is_asked_at_its_pace() {
    let mut edge = edge();
    for n in 0..1000 {
        uses(&mut edge, &named(&format!("j-{n}")), NOW);
    }
    let mut reports = 0;
    for second in 0..ROUND + 60 {
        let mut next = ticked(&mut edge, NOW + second);
        while next.is_some() {
            reports += 1;
            next = answered(&mut edge, REFUSED, NOW + second);
        }
    }
    assert!((20..50).contains(&reports), "{reports}");
}

#[test]
fn keys_that_change_lose_no_session_in_use() {
    let mut config = config();
    config["custody"] = json!({"cluster": "custody"});
    config["session"]["keys"] = json!({"cluster": "issuer", "path": "/jwks.json", "keep": "1h"});
    let first = tests::config()["session"]["keys"]["jwks"]["keys"][0].clone();
    let next = SigningKey::generate(Algorithm::EdDsa, Some("k2")).unwrap();
    let mut edge = edge_of(&config);
    let keys_come = |edge: &mut TrustEdge, keys: &[Value], now| {
        let answer = json!({ "keys": keys }).to_string();
        let fetch =
            edge.take_callouts().into_iter().find(|c| matches!(c.purpose, Purpose::Keys(_)));
        let answer = Answer::Response { status: 200, body: answer.as_bytes() };
        edge.answered(fetch.expect("a fetch").purpose, answer, at(now));
    };
    edge.tick(at(NOW));
    keys_come(&mut edge, std::slice::from_ref(&first), NOW);
    uses(&mut edge, &named("j-1"), NOW + 1);
    // Somebody has a token of the issuer's next key.
    let mut claims = claims();
    claims["jti"] = json!("j-2");
    let other = next.sign(&claims).unwrap();
    let asks = request("GET", "a.open.example", "/", &other);
    let verdict = AwaitRequest::default().admit(&mut edge, asks, at(NOW + 15));
    assert!(matches!(verdict, Verdict::Wait(_)));
    keys_come(&mut edge, &[next.public_jwk()], NOW + 15);
    uses(&mut edge, &other, NOW + 15);
    // The first key is gone, and its session with it; that session was in use for all that.
    let asks = request("GET", "a.open.example", "/", &named("j-1"));
    let verdict = AwaitRequest::default().admit(&mut edge, asks, at(NOW + 16));
    assert!(!matches!(verdict, Verdict::Forward(_)));
    let (now, names) = next_report(&mut edge, NOW + 16, NOW + ROUND);
    assert_eq!(names, ["j-1", "j-2"]);
    assert_eq!(answered(&mut edge, RECORDED, now), None);
    edge.tick(at(now + 10));
    assert_eq!(edge.sessions.len(), 1, "what is reported is forgotten");
}

#[test]
fn a_session_that_has_ended_is_reported_before_it_is_forgotten() {
    let mut edge = edge();
    for second in 0..599 {
        edge.tick(at(NOW + second));
    }
    edge.take_callouts();
    uses(&mut edge, &token(), NOW + 599);
    let (_, names) = next_report(&mut edge, NOW + 599, NOW + 599 + ROUND);
    assert_eq!(names, ["j-1"]);
    edge.tick(at(NOW + 700));
    assert_eq!(edge.sessions.len(), 0);
}

#[test]
fn an_edge_that_is_superseded_reports_at_once_and_says_when_it_is_done() {
    let mut edge = edge();
    assert!(!edge.has_unreported());
    uses(&mut edge, &token(), NOW);
    edge.report_now(at(NOW + 1));
    assert!(edge.has_unreported());
    assert_eq!(ticked(&mut edge, NOW + 1), Some(vec!["j-1".into()]));
    assert!(edge.has_unreported(), "not confirmed");
    answered(&mut edge, Answer::Reset, NOW + 2);
    let (now, _) = next_report(&mut edge, NOW + 2, NOW + 2 + PAUSE);
    answered(&mut edge, RECORDED, now);
    assert!(!edge.has_unreported());
}
