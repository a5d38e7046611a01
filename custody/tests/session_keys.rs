//! Session keys that are fetched from their issuer, as a running custody sees them.
//! Keys are kept in memory; one store is enough.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use common::peer::Peer;
use common::stores::Store;
use common::{Home, Running, client};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the issuer publishes; `None` while it is in trouble.
type Published = Arc<Mutex<Option<Value>>>;

async fn issuer(published: &Published) -> Peer {
    let published = Arc::clone(published);
    let jwks = move || {
        let published = published.lock().unwrap().clone();
        async move { published.map(|jwks| jwks.to_string()).ok_or(StatusCode::BAD_GATEWAY) }
    };
    Peer::start(Router::new().route("/jwks", get(jwks))).await
}

fn home(issuer: &Peer, refresh: &str) -> Home {
    let home = Home::new(Store::Sqlite);
    let (url, ca) = (issuer.url(), issuer.ca());
    let keys = format!("{{url: {url}/jwks, ca: {}, refresh: {refresh}}}", ca.display());
    home.edit("keys:\n    jwks_file: jwks.json", &format!("keys: {keys}"));
    home
}

fn set(keys: &[&SigningKey]) -> Option<Value> {
    let keys: Vec<_> = keys.iter().map(|key| key.public_jwk()).collect();
    Some(json!({ "keys": keys }))
}

async fn status(home: &Home, running: &Running, key: &SigningKey) -> u16 {
    let mut request = home.request();
    request["session"] = json!(key.sign(&home.claims()).unwrap());
    home.lease(running, &request).await.status
}

/// Asks until the answer is this; for what happens in custody's own time.
async fn until(home: &Home, running: &Running, key: &SigningKey, wanted: u16) {
    let begun = Instant::now();
    while status(home, running, key).await != wanted {
        assert!(begun.elapsed() < Duration::from_secs(60), "never {wanted}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_needs_no_restart() {
    let published = Published::default();
    let issuer = issuer(&published).await;
    let home = home(&issuer, "1s");
    let new = SigningKey::generate(Algorithm::EdDsa, Some("k2")).unwrap();
    *published.lock().unwrap() = set(&[&home.key]);
    let running = home.serve();
    assert_eq!(status(&home, &running, &home.key).await, 200);
    assert_eq!(status(&home, &running, &new).await, 401);

    *published.lock().unwrap() = set(&[&home.key, &new]);
    until(&home, &running, &new, 200).await;
    assert_eq!(status(&home, &running, &home.key).await, 200);
    // Down for a while: the last good set stays.
    *published.lock().unwrap() = None;
    running.wait_for("custody uses the last good ones");
    assert_eq!(status(&home, &running, &home.key).await, 200);

    *published.lock().unwrap() = set(&[&new]);
    until(&home, &running, &home.key, 401).await;
    assert_eq!(status(&home, &running, &new).await, 200);
    let log = running.log.lock().unwrap().clone();
    assert!(log.contains(r#""removed":"[\"k1\"]""#), "{log}");
    let page = client::plain_get(running.health, "/metrics").await.text();
    assert!(
        page.contains(
            "leasehold_custody_session_keys{issuer=\"https://control-plane.example\"} 1\n"
        ),
        "{page}"
    );
    assert!(page.contains("leasehold_custody_session_key_fetches_total{issuer=\"https://control-plane.example\",result=\"failed\"} "));
}

#[tokio::test(flavor = "multi_thread")]
async fn start_without_the_issuer_answers_503_and_keeps_trying() {
    let published = Published::default();
    let issuer = issuer(&published).await;
    let home = home(&issuer, "5m");
    let running = home.serve();
    let answer = home.lease(&running, &home.request()).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("session_keys_unavailable"), "{}", answer.text());
    *published.lock().unwrap() = set(&[&home.key]);
    until(&home, &running, &home.key, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_its_place_is_in_the_log() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let redirect = move |headers: HeaderMap| {
        seen.lock().unwrap().push(headers);
        async { (StatusCode::FOUND, [("location", "/moved/jwks")]) }
    };
    let followed = Arc::new(AtomicBool::new(false));
    let moved = Arc::clone(&followed);
    let moved = move || async move { moved.store(true, Ordering::SeqCst) };
    let router = Router::new().route("/jwks", get(redirect)).route("/moved/jwks", get(moved));
    let issuer = Peer::start(router).await;
    let home = home(&issuer, "5m");
    let running = home.serve();
    assert_eq!(status(&home, &running, &home.key).await, 503);
    running.wait_for(r#"status 302, a redirect to \"/moved/jwks\", which is not followed"#);
    assert!(!followed.load(Ordering::SeqCst));
    let headers = asked.lock().unwrap()[0].clone();
    assert_eq!(headers["accept"], "application/jwk-set+json, application/json");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("leasehold-custody/"));
    assert!(!headers.contains_key("content-type"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_of_another_ca_is_nobody() {
    let published = Published::default();
    let (issuer, other) = (issuer(&published).await, Peer::start(Router::new()).await);
    let home = home(&issuer, "5m");
    home.edit(&issuer.ca().display().to_string(), &other.ca().display().to_string());
    *published.lock().unwrap() = set(&[&home.key]);
    let running = home.serve();
    assert_eq!(status(&home, &running, &home.key).await, 503);
    let log = running.log.lock().unwrap().clone();
    assert!(
        log.contains("custody answers 503 to every session of the issuer until it answers"),
        "{log}"
    );
    assert!(log.contains("invalid peer certificate"), "{log}");
}
