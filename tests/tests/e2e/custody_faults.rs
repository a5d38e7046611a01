//! Custody that is not there, does not answer, or answers what it must not: the guest gets the right
//! refusal in time, the origin gets nothing, and the next good request works.

mod absent;
mod answers;
mod cache;
mod certificates;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::Answer;
use stack::sessions::now;
use tests::reply::Reply;
use tests::scene::{API, LEASED, Scene};

use crate::wide;

/// How long the filter waits for custody in these tests. Less than the second Envoy waits for a
/// connection, which would be another reason; more than a busy machine takes for an answer.
const TIMEOUT: &str = "700ms";
/// A refusal takes this long at most, on any machine: far from `TIMEOUT`, and farther from never.
const END: Duration = Duration::from_secs(15);
/// What a fault's lease would have written; nobody may see it.
const FAULTY: &str = "faulty-lease-b81d20";

/// A lease as custody would grant it, for `seconds` from now.
fn lease(seconds: i64) -> Value {
    lease_until(now().saturating_add_signed(seconds))
}

fn lease_until(expires_at: u64) -> Value {
    json!({
        "lease_id": "lse_e2e",
        "expires_at": expires_at,
        "renew_after": expires_at - 1,
        "headers": [{"name": "authorization", "value": LEASED}],
        "binding": "session",
    })
}

/// A `GET` with this session, through a tunnel of its own.
fn get(scene: &Scene, session: &str) -> anyhow::Result<Reply> {
    let tls = scene.tls_with(&scene.at(API), Some(API), session)?;
    tests::wire::Wire::new(tls).exchange(scene.get(API, "/v1/fault"))
}

/// A guest of its own is refused with this status and reason: custody was asked once, the origin
/// heard nothing, and it did not take for ever.
#[track_caller]
fn fails(scene: &Scene, case: &str, refusal: (u16, &str)) {
    fails_by_one_of(scene, case, &[refusal]);
}

#[track_caller]
fn fails_by_one_of(scene: &Scene, case: &str, refusals: &[(u16, &str)]) {
    let before = (scene.arrived(), scene.asked());
    let session = wide::new_session(scene);
    let since = Instant::now();
    let reply = get(scene, &session).unwrap_or_else(|error| panic!("{case}: {error:#}"));
    let took = since.elapsed();
    let reason = reply.reason().unwrap_or_default();
    let got = (reply.status, reason.as_str());
    assert!(refusals.contains(&got), "{case}: not one of {refusals:?}: {}", reply.text());
    assert!(took < END, "{case}: after {took:?}");
    let problem = reply.json();
    assert_eq!(problem["reason"], reason, "{case}");
    assert_eq!(problem["status"], reply.status, "{case}");
    let shown = wide::shown(&reply);
    assert!(!shown.contains(FAULTY) && !shown.contains(LEASED), "{case}: {shown}");
    assert_eq!((scene.arrived(), scene.asked()), (before.0, before.1 + 1), "{case}");
}

/// A guest of its own gets through, with the lease of whoever sits on custody's port.
#[track_caller]
fn works(scene: &Scene, case: &str) {
    let before = scene.arrived();
    let reply = get(scene, &wide::new_session(scene));
    let reply = reply.unwrap_or_else(|error| panic!("behind {case}: {error:#}"));
    wide::assert_leased(scene, &format!("behind {case}"), &reply);
    assert_eq!(scene.arrived(), before + 1, "behind {case}");
}

/// The real custody comes back, and the next good request works.
#[track_caller]
fn works_with_the_real_one(scene: &mut Scene, case: &str) {
    scene.stack.start_custody().unwrap();
    works(scene, case);
}

/// `answer` to one guest, then a good one to the next.
#[track_caller]
fn answered(scene: &mut Scene, case: &str, answer: Answer, refusal: (u16, &str)) {
    scene.stack.fake_custody(answer).unwrap();
    fails(scene, case, refusal);
    scene.stack.fake_custody(Answer::json(200, &lease(60))).unwrap();
    works(scene, case);
}
