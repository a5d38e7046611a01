//! In process: the order of things, and what happens when a part of custody hangs or breaks.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use axum::body::Body;
use custody_backends::BackendFault;
use inside::scripted::Step;
use inside::stores::{Store, on_both_stores};
use inside::{Inside, START};
use serde_json::json;

// In the others the ledger has no part.
on_both_stores! {
    #[tokio::test]
    the_record_is_durable_before_a_source_is_asked,
    a_lease_ends_with_its_credential,
    a_closed_audit_log_means_no_lease_and_no_question,
}

async fn the_record_is_durable_before_a_source_is_asked(store: Store) {
    let inside = Inside::new(store).await;
    let (began, go) = inside.sources.then_wait();
    let request = inside.request();
    let look = async {
        began.acquire().await.unwrap().forget();
        let record = inside.last_record();
        go.add_permits(1);
        record
    };
    let (answer, record) = tokio::join!(inside.lease(&request), look);
    assert_eq!((&record["event"], &record["outcome"]), (&json!("lease"), &json!("allow")));
    assert_eq!((&record["handle"], &record["purpose"]), (&json!("h"), &json!("test")));
    assert_eq!(answer.json()["lease_id"], record["lease_id"]);
    assert!(answer.body.contains("Bearer value-1"));
}

#[tokio::test]
async fn a_source_that_fails_panics_or_gives_garbage_gives_no_lease() {
    for step in [
        Step::Fail(BackendFault::Down("secret-canary".into())),
        Step::Panic,
        Step::Text("secret-canary\ninjected: header"),
        Step::Text(""),
        Step::Ends(START),
        Step::Ends(0),
    ] {
        let inside = Inside::new(Store::Sqlite).await;
        inside.sources.then(step);
        let answer = inside.lease(&inside.request()).await;
        assert_eq!(answer.refusal(), (503, "unavailable".into()));
        assert_eq!(answer.retry_after(), Some(1));
        assert_eq!(inside.last_record()["event"], "lease_failed");
        let log = std::fs::read_to_string(inside.folder.path().join("audit.jsonl")).unwrap();
        assert!(!log.contains("canary"));
    }
}

async fn a_lease_ends_with_its_credential(store: Store) {
    let inside = Inside::new(store).await;
    for (ends, expected) in [(START + 60, START + 60), (START + 9000, START + 300)] {
        inside.sources.then(Step::Ends(ends));
        let lease = inside.lease(&inside.request()).await.json();
        assert_eq!(lease["expires_at"], expected);
    }
    assert_eq!(inside.sources.asked.lock().unwrap()[0].until, START + 300);
}

async fn a_closed_audit_log_means_no_lease_and_no_question(store: Store) {
    let inside = Inside::new(store).await;
    assert_eq!(inside.lease(&inside.once("a")).await.status, 200);
    inside.audit.close().await.unwrap();
    for request in [inside.request(), inside.once("b")] {
        assert_eq!(inside.lease(&request).await.refusal(), (503, "unavailable".into()));
    }
    assert_eq!(inside.sources.times(), 1);
    assert_eq!(inside.ledger.take_calls().last(), Some(&"give_up"));
}

/// A body whose end never comes.
struct Endless;

impl axum::body::HttpBody for Endless {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_in_time() {
    let inside = Inside::new(Store::Sqlite).await;
    // From here the clock runs only when everything waits.
    tokio::time::pause();
    for path in ["/v1/leases", "/v1/leases/lse_1/outcome", "/v1/seen"] {
        let begun = tokio::time::Instant::now();
        let answer = inside.post(path, Body::new(Endless)).await;
        assert_eq!(answer.refusal(), (503, "unavailable".into()));
        assert_eq!(begun.elapsed().as_secs(), 5);
    }
}

#[tokio::test]
async fn every_body_has_a_limit() {
    let inside = Inside::new(Store::Sqlite).await;
    let padded = |text: String, length: usize| {
        let mut body = text.into_bytes();
        body.resize(length, b' ');
        body
    };
    let lease = || inside.request().to_string();
    let seen = || json!({"sessions": ["j"]}).to_string();
    let outcome = || json!({"outcome": "delivered"}).to_string();
    let small = custody::http::BODY_LIMIT;
    let large = lease::SEEN_BODY_LIMIT;
    for (path, text, limit, fine) in [
        ("/v1/leases", lease(), small, 200),
        ("/v1/leases/lse_1/outcome", outcome(), small, 404),
        ("/v1/seen", seen(), large, 204),
    ] {
        assert_eq!(inside.post(path, padded(text.clone(), limit)).await.status, fine);
        assert_eq!(inside.post(path, padded(text, limit + 1)).await.status, 400, "{path}");
    }
}
