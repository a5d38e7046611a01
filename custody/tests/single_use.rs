//! Single-use leases: one operation, one value, whatever fails.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use custody::leasing::TIME_LIMIT;
use custody_backends::BackendFault;
use inside::faulty::When;
use inside::scripted::Step;
use inside::stores::{Store, on_both_stores};
use inside::{Answer, Inside};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::Semaphore;

// The others are refused before the ledger, or fail in front of it, whichever it is.
on_both_stores! {
    #[tokio::test]
    one_operation_has_one_lease,
    the_order_of_things,
    the_backup_is_asked_under_the_same_reservation,
    a_fourth_attempt_is_refused,
    fifty_at_once_are_one_lease,
    whoever_hangs_up_leaves_a_trail_and_no_second_value,
    a_source_that_hangs_is_given_up_in_time_and_the_backup_is_asked_sooner,
    a_holder_that_died_is_followed_with_the_attempts_that_are_left,
    outcomes_close_an_operation_once,
    a_kept_lease_that_an_upstream_refused_is_written_down,
    outcomes_of_nothing,
}

fn down() -> Step {
    Step::Fail(BackendFault::Down("secret-canary".into()))
}

fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.refusal(), (status, code.to_owned()), "{}", answer.body);
}

/// Until it holds; what it waits for happens on another task.
async fn until(what: impl Fn() -> bool) {
    for _ in 0..2000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen");
}

async fn one_operation_has_one_lease(store: Store) {
    let inside = Inside::new(store).await;
    let first = inside.lease(&inside.once("k")).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(first.json()["binding"], "single_use");
    refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
    let last = inside.last_record();
    assert_eq!((&last["code"], &last["reason"]), (&json!("replay_rejected"), &json!("replay")));
    assert_eq!(inside.sources.times(), 1);
    // Another operation is another lease; and the same session may have both.
    let other = inside.lease(&inside.once("l")).await;
    assert_eq!(other.status, 200);
    assert_ne!(other.json()["lease_id"], first.json()["lease_id"]);
}

#[tokio::test]
async fn any_changed_field_is_denied_before_the_ledger_is_touched() {
    let inside = Inside::new(Store::Sqlite).await;
    for (field, value) in [
        ("method", json!("PUT")),
        ("path", json!("/other")),
        ("destination", json!("A.example.:443")),
        ("idempotency_key", json!("l")),
        ("idempotency_key", Value::Null),
        ("body_digest", json!("0".repeat(64))),
        ("fingerprint", json!("0".repeat(64))),
        ("fingerprint", Value::Null),
    ] {
        let mut request = inside.once("k");
        request[field] = value.clone();
        let same = field == "destination";
        if same {
            // Only another spelling: the same operation.
            assert_eq!(inside.lease(&request).await.status, 200);
            inside.ledger.take_calls();
            continue;
        }
        refused(&inside.lease(&request).await, 403, "not_granted");
        assert_eq!(inside.ledger.take_calls(), [""; 0], "{field}");
        assert!(inside.last_record()["reason"].as_str().unwrap().starts_with("fingerprint"));
    }
}

async fn the_order_of_things(store: Store) {
    let inside = Inside::new(store).await;
    assert_eq!(inside.lease(&inside.once("k")).await.status, 200);
    assert_eq!(inside.ledger.take_calls(), ["access_state", "open", "attempt", "record"]);
    assert_eq!(inside.lease(&inside.request()).await.status, 200);
    assert_eq!(inside.ledger.take_calls(), ["access_state", "record"]);
}

async fn the_backup_is_asked_under_the_same_reservation(store: Store) {
    let inside = Inside::with(store, "", "", 2).await;
    inside.sources.then(down());
    let answer = inside.lease(&inside.once("k")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(inside.sources.places_asked(), [0, 1]);
    let calls = inside.ledger.take_calls();
    assert_eq!(calls, ["access_state", "open", "attempt", "attempt", "record"]);
    refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
}

async fn a_fourth_attempt_is_refused(store: Store) {
    let inside = Inside::with(store, "", "", 2).await;
    for _ in 0..3 {
        inside.sources.then(down());
    }
    // Primary and backup; then the primary; then nothing is left for the backup.
    refused(&inside.lease(&inside.once("k")).await, 503, "unavailable");
    refused(&inside.lease(&inside.once("k")).await, 503, "unavailable");
    assert_eq!(inside.last_record()["reason"], "attempts_exhausted");
    assert_eq!(inside.sources.places_asked(), [0, 1, 0]);
    refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
    assert_eq!(inside.sources.times(), 3);
    // The twin: an operation that has attempts left gets its lease by the third.
    for _ in 0..2 {
        inside.sources.then(down());
    }
    refused(&inside.lease(&inside.once("l")).await, 503, "unavailable");
    assert_eq!(inside.lease(&inside.once("l")).await.status, 200);
}

async fn fifty_at_once_are_one_lease(store: Store) {
    let inside = Inside::new(store).await;
    let (began, go) = inside.sources.then_wait();
    let request = inside.once("k");
    let all = futures_util::future::join_all((0..50).map(|_| inside.lease(&request)));
    let release = async {
        began.acquire().await.unwrap().forget();
        go.add_permits(1);
    };
    let (answers, ()) = tokio::join!(all, release);
    let given = answers.iter().filter(|answer| answer.status == 200).count();
    let replayed = answers.iter().filter(|answer| answer.refusal().1 == "replay_rejected").count();
    assert_eq!((given, replayed, inside.sources.times()), (1, 49, 1));
}

async fn whoever_hangs_up_leaves_a_trail_and_no_second_value(store: Store) {
    let inside = Inside::new(store).await;
    let (began, go) = inside.sources.then_wait();
    {
        let request = inside.once("k");
        let asking = std::pin::pin!(inside.lease(&request));
        tokio::select! {
            answer = asking => panic!("{answer:?}"),
            began = began.acquire() => began.unwrap().forget(),
        }
        // Here the future is dropped, as hyper does when a connection ends.
    }
    // While the first is at work the operation is held.
    refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
    go.add_permits(1);
    until(|| inside.last_record()["reason"] == "caller_gone").await;
    assert_eq!(inside.last_record()["event"], "lease_failed");
    until(|| inside.sources.revoked.lock().unwrap().len() == 1).await;
    // The value went nowhere, so the operation may have another.
    let again = inside.lease(&inside.once("k")).await;
    assert_eq!(again.json()["headers"][0]["value"], "Bearer value-2", "{}", again.body);
    refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
}

/// Lets time pass for a source that has begun, and for nobody else: ledger and audit log are threads,
/// which a paused clock would not wait for.
async fn once_begun(began: &Semaphore, seconds: u64) {
    began.acquire().await.unwrap().forget();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

async fn a_source_that_hangs_is_given_up_in_time_and_the_backup_is_asked_sooner(store: Store) {
    let inside = Inside::with(store, "", "", 2).await;
    let (began, _go) = inside.sources.then_wait();
    let request = inside.once("k");
    let (answer, ()) = tokio::join!(inside.lease(&request), once_begun(&began, 1));
    assert_eq!(answer.json()["headers"][0]["value"], "Bearer value-2", "{}", answer.body);
    // Both hang: nobody waits longer than the limit.
    let ((first, _go), (second, _also)) = (inside.sources.then_wait(), inside.sources.then_wait());
    let request = inside.once("l");
    let time = async {
        once_begun(&first, 1).await;
        once_begun(&second, TIME_LIMIT.as_secs()).await;
    };
    let (answer, ()) = tokio::join!(inside.lease(&request), time);
    refused(&answer, 503, "unavailable");
    until(|| inside.last_record()["event"] == "lease_failed").await;
    assert_eq!(inside.lease(&inside.once("l")).await.status, 200, "one attempt was left");
}

#[tokio::test]
async fn when_the_ledger_fails_no_value_leaves() {
    for when in [When::Before, When::After] {
        for call in ["access_state", "open", "attempt", "record"] {
            let inside = Inside::new(Store::Sqlite).await;
            inside.ledger.fail(Some((call, when)));
            let mut values = BTreeSet::new();
            for _ in 0..2 {
                let answer = inside.lease(&inside.once("k")).await;
                assert_ne!(answer.status, 200, "{call} {when:?}");
                assert!(!answer.body.contains("value"), "{call} {when:?}");
            }
            // It is back: at most one value, and every one that was resolved before was taken back.
            inside.ledger.fail(None);
            inside.pass(60);
            for _ in 0..3 {
                let answer = inside.lease(&inside.once("k")).await;
                if answer.status == 200 {
                    values.insert(answer.body);
                }
            }
            let lost = call == "record" && when == When::After;
            assert_eq!(values.len(), usize::from(!lost), "{call} {when:?}");
            let taken_back = || inside.sources.revoked.lock().unwrap().len();
            let resolved = inside.sources.times();
            until(|| taken_back() == resolved - values.len()).await;
        }
    }
}

#[tokio::test]
async fn when_the_ledger_fails_a_session_bound_value_stays_too() {
    for when in [When::Before, When::After] {
        for call in ["access_state", "record"] {
            let inside = Inside::new(Store::Sqlite).await;
            inside.ledger.fail(Some((call, when)));
            refused(&inside.lease(&inside.request()).await, 503, "unavailable");
            assert_eq!(inside.last_record()["reason"], "ledger");
            assert_eq!(inside.get("/healthz").await.status, 200);
            inside.ledger.fail(Some(("kill_switch", when)));
            let health = inside.get("/healthz").await;
            assert_eq!(
                (health.status, health.json()["status"].clone()),
                (503, json!("ledger failing"))
            );
            inside.ledger.fail(None);
            assert_eq!(inside.get("/healthz").await.status, 200);
            assert_eq!(inside.lease(&inside.request()).await.status, 200);
        }
    }
}

async fn a_holder_that_died_is_followed_with_the_attempts_that_are_left(store: Store) {
    let inside = Inside::new(store).await;
    // It dies with the reservation held: nothing is given up, as after kill -9.
    inside.ledger.fail(Some(("give_up", When::Before)));
    for number in 1..=3 {
        inside.sources.then(down());
        refused(&inside.lease(&inside.once("k")).await, 503, "unavailable");
        refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
        assert_eq!(inside.sources.times(), number);
        inside.pass(TIME_LIMIT.as_secs() + 10);
    }
    refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
    assert_eq!(inside.sources.times(), 3);
}

async fn outcomes_close_an_operation_once(store: Store) {
    let inside = Inside::new(store).await;
    let lease = inside.lease(&inside.once("k")).await.json();
    let path = format!("/v1/leases/{}/outcome", lease["lease_id"].as_str().unwrap());
    let report = |text: &str| inside.post(&path, text.to_owned());
    for raw in [
        "",
        "<html>upstream says: secret-canary</html>",
        r#"{"outcome":"failed","failure_code":"connect error: secret-canary"}"#,
        r#"{"outcome":"failed"}"#,
        r#"{"outcome":"delivered","text":"secret-canary"}"#,
    ] {
        refused(&report(raw).await, 400, "bad_request");
    }
    let failed = r#"{"outcome":"failed","failure_code":"upstream_reset"}"#;
    let answer = report(failed).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let last = inside.last_record();
    assert_eq!(last["event"], "lease_settled");
    assert_eq!(
        (&last["reported"], &last["failure_code"]),
        (&json!("failed"), &json!("upstream_reset"))
    );
    assert_eq!(last["lease_id"], lease["lease_id"]);
    refused(&report(r#"{"outcome":"delivered"}"#).await, 409, "already_settled");
    refused(&inside.lease(&inside.once("k")).await, 409, "replay_rejected");
    let log = std::fs::read_to_string(inside.folder.path().join("audit.jsonl")).unwrap();
    assert!(!log.contains("canary"));
}

/// The edge keeps such a lease for many requests: nobody tells of each, but that it is no good is told.
async fn a_kept_lease_that_an_upstream_refused_is_written_down(store: Store) {
    let inside = Inside::new(store).await;
    let lease = inside.lease(&inside.request()).await.json();
    let path = format!("/v1/leases/{}/outcome", lease["lease_id"].as_str().unwrap());
    let failed = r#"{"outcome":"failed","failure_code":"upstream_401"}"#;
    for fine in ["accepted", "delivered"] {
        let report = format!(r#"{{"outcome":"{fine}"}}"#);
        refused(&inside.post(&path, report).await, 404, "unknown_lease");
    }
    assert_eq!(inside.post(&path, failed).await.status, 204);
    let last = inside.last_record();
    assert_eq!(last["event"], "lease_settled");
    assert_eq!(last["failure_code"], "upstream_401");
    refused(&inside.post(&path, failed).await, 409, "already_settled");
    let forgotten = inside.sources.forgotten.lock().unwrap().clone();
    assert_eq!(forgotten, ["h"], "a replayed report drops no kept credential");
}

async fn outcomes_of_nothing(store: Store) {
    let inside = Inside::new(store).await;
    let session = inside.lease(&inside.request()).await.json();
    let session = session["lease_id"].as_str().unwrap();
    for id in [session, "lse_none", "a%20b", "a%00b", &"x".repeat(129)] {
        let path = format!("/v1/leases/{id}/outcome");
        let answer = inside.post(&path, r#"{"outcome":"delivered"}"#).await;
        refused(&answer, 404, "unknown_lease");
    }
    inside.ledger.fail(Some(("settle", When::Before)));
    let answer = inside.post("/v1/leases/lse_none/outcome", r#"{"outcome":"accepted"}"#).await;
    refused(&answer, 503, "unavailable");
}
