//! The edge's routes on the real binary, over real TLS: names on certificates, grants reloaded,
//! revocations told, attempts that survive `kill -9`.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::client::{Answer, get, over_http1};
use common::stores::{Store, on_both_stores};
use common::{CANARY, Home, Running};
use hyper::Request;
use lease::SyncAnswer;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

// Names on certificates are read before any store.
on_both_stores! {
    #[tokio::test]
    grants_are_reloaded_by_a_signal_and_by_the_file,
    an_edge_that_waits_hears_of_a_session_that_idled_and_custody_ends_without_delay,
    a_single_use_lease_and_its_outcome,
    a_fourth_attempt_is_refused_also_after_kill_9,
}

const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn send(home: &Home, running: &Running, request: Request<Body>) -> Answer {
    let stream = home.edge_client().connect(running.edge).await.unwrap();
    over_http1(stream, request).await.unwrap()
}

async fn post(home: &Home, running: &Running, path: &str, body: String) -> Answer {
    let request = Request::post(path).header("host", "custody.internal").body(body.into()).unwrap();
    send(home, running, request).await
}

async fn sync(home: &Home, running: &Running, query: &str) -> SyncAnswer {
    let answer = send(home, running, get(&format!("/v1/sync{query}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    SyncAnswer::decode(&answer.body).unwrap()
}

fn code(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["code"].clone())
}

#[tokio::test]
async fn an_edge_has_one_of_the_names_if_names_are_asked_for() {
    for (names, welcome) in [
        ("[edge.internal]", true),
        ("[other.internal, EDGE.internal]", true),
        ("[other.internal]", false),
        ("[edge]", false),
        ("[internal]", false),
        ("['spiffe://edge.internal']", false),
    ] {
        let home = Home::bare(Store::Sqlite);
        home.edit(
            "    client_ca: ca.pem\n",
            &format!("    client_ca: ca.pem\n    client_names: {names}\n"),
        );
        let running = home.serve();
        for versions in [TLS12, TLS13] {
            let mut client = home.edge_client();
            client.versions = versions;
            let answer = client.get(running.edge, "/healthz").await;
            assert_eq!(answer.is_ok_and(|answer| answer.status == 200), welcome, "{names}");
        }
    }
}

async fn grants_are_reloaded_by_a_signal_and_by_the_file(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let mut request = home.request();
    request["method"] = "DELETE".into();
    assert_eq!(home.lease(&running, &request).await.status, 403);
    home.edit("methods: [GET, HEAD]", "methods: [GET, HEAD, DELETE]");
    running.signal("HUP");
    running.wait_for("loaded new grants");
    assert_eq!(home.lease(&running, &request).await.status, 200);
    // Wrong ones change nothing.
    home.edit("destinations: [api.github.com, ", "destinations: ['*.com', ");
    running.signal("HUP");
    running.wait_for("failed to load the grants");
    assert_eq!(home.lease(&running, &request).await.status, 200);
    assert!(home.records().iter().any(|record| record["event"] == "grants_refused"));
    // Without a signal, within a few looks at the file.
    home.edit("destinations: ['*.com', ", "destinations: [other.example, ");
    running.wait_for("loaded new grants");
    assert_eq!(home.lease(&running, &request).await.status, 403);
    assert!(home.verify().status.success());
}

async fn an_edge_that_waits_hears_of_a_session_that_idled_and_custody_ends_without_delay(
    store: Store,
) {
    let home = Home::new(store);
    home.edit("idle: 15m", "idle: 1s");
    let running = home.serve();
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let known = sync(&home, &running, "").await;
    assert!(known.full && known.changes.is_empty());
    let query = format!("?cursor={}&wait=30", known.cursor);
    let begun = Instant::now();
    let idled = async {
        while home.lease(&running, &home.request()).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
    };
    let (heard, ()) = tokio::join!(sync(&home, &running, &query), idled);
    assert_eq!(heard.changes[0].id, "https://control-plane.example#jti-1");
    assert!(begun.elapsed() < PATIENCE);
    // One that waits does not hold up the end.
    let query = format!("?cursor={}&wait=30", heard.cursor);
    let begun = Instant::now();
    let asking = sync(&home, &running, &query);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        running.signal("TERM");
    };
    let (heard, ()) = tokio::join!(asking, ending);
    assert!(!heard.full && heard.changes.is_empty());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

async fn a_single_use_lease_and_its_outcome(store: Store) {
    let home = Home::bare(store);
    home.put("pay", &[], CANARY);
    home.grants(
        "- {handle: pay, destinations: [api.github.com], claims: {team: [build]}, binding: single_use}",
    );
    let running = home.serve();
    let lease = home.lease(&running, &home.once("pay", "1")).await;
    assert_eq!(lease.status, 200, "{}", lease.text());
    assert_eq!(lease.json()["binding"], "single_use");
    assert_eq!(
        code(&home.lease(&running, &home.once("pay", "1")).await),
        (409, json!("replay_rejected"))
    );
    let mut bound = home.request();
    bound["handle"] = "pay".into();
    assert_eq!(code(&home.lease(&running, &bound).await), (403, json!("not_granted")));
    let path = format!("/v1/leases/{}/outcome", lease.json()["lease_id"].as_str().unwrap());
    let report = || post(&home, &running, &path, json!({"outcome": "delivered"}).to_string());
    assert_eq!(report().await.status, 204);
    assert_eq!(code(&report().await), (409, json!("already_settled")));
    // Also after a crash, a replay is a replay.
    drop(running);
    let running = home.serve();
    assert_eq!(
        code(&home.lease(&running, &home.once("pay", "1")).await),
        (409, json!("replay_rejected"))
    );
}

async fn a_fourth_attempt_is_refused_also_after_kill_9(store: Store) {
    let home = Home::bare(store);
    home.grants(
        "- {handle: late, destinations: [api.github.com], claims: {team: [build]}, binding: any}",
    );
    for attempt in 1..=3 {
        // Dropping it is SIGKILL.
        let running = home.serve();
        let answer = home.lease(&running, &home.once("late", "1")).await;
        assert_eq!(code(&answer), (503, json!("unavailable")), "attempt {attempt}");
    }
    home.put("late", &[], CANARY);
    let running = home.serve();
    let fourth = home.lease(&running, &home.once("late", "1")).await;
    assert_eq!(code(&fourth), (409, json!("replay_rejected")));
    assert_eq!(
        home.lease(&running, &home.once("late", "2")).await.status,
        200,
        "another operation"
    );
}
