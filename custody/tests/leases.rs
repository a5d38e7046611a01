//! `POST /v1/leases` on the real binary: what is leased, and every refusal.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::client::{Answer, over_http2, plain_get, post};
use common::stores::{Store, on_both_stores};
use common::{CANARY, Home, Running, now};
use lease::{LEASE_CEILING, Lease, LeaseRequest, RefusalCode};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;

// The others are refused, or decoded, before the ledger is asked.
on_both_stores! {
    #[tokio::test]
    a_granted_session_gets_a_lease,
    every_shape_of_credential,
    actors_have_credentials_of_their_own,
    no_lease_outlives_its_session_or_the_ceiling,
    what_no_grant_names_is_denied,
    a_grant_without_a_stored_credential_is_unavailable,
    a_changed_store_gives_nothing,
    many_at_once,
    everything_is_counted,
}

fn assert_lease(answer: &Answer, name: &str, value: &str) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.content_type, "application/json");
    let lease = answer.json();
    assert_eq!(lease["headers"], json!([{"name": name, "value": value}]));
    assert_eq!(lease["binding"], "session");
    // The edge's own reader takes it, and finds it within the ceiling.
    assert!(Lease::decode(&answer.body).unwrap().live(now(), LEASE_CEILING).is_ok());
    lease
}

fn assert_refused(answer: &Answer, code: RefusalCode) {
    assert_eq!(answer.status, code.status(), "{}", answer.text());
    assert_eq!(answer.json(), json!({"code": code.code()}), "and nothing else");
    assert_eq!(RefusalCode::decode(answer.status, &answer.body), Some(code));
}

async fn a_granted_session_gets_a_lease(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let before = now();
    let answer = home.lease(&running, &home.request()).await;
    let lease = assert_lease(&answer, "authorization", &format!("Bearer {CANARY}"));
    let expires_at = lease["expires_at"].as_u64().unwrap();
    assert!((before + 300..=now() + 300).contains(&expires_at));
    assert_eq!(lease["renew_after"], expires_at - 60, "after four fifths");
    let again = home.lease(&running, &home.request()).await;
    assert_ne!(again.json()["lease_id"], lease["lease_id"]);
    assert_eq!(running.stop(), 0);
}

#[tokio::test]
async fn the_edges_own_encoder_over_http2() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let mut client = home.edge_client();
    client.alpn = b"h2";
    let request = LeaseRequest::decode(home.request().to_string().as_bytes()).unwrap();
    let body = request.encode().unwrap().to_vec();
    let stream = client.connect(running.edge).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let answer = over_http2(stream, post(Body::from(body))).await.unwrap();
    assert_lease(&answer, "authorization", &format!("Bearer {CANARY}"));
}

async fn every_shape_of_credential(store: Store) {
    let home = Home::bare(store);
    home.put("basic", &["--type", "basic", "--user", "Aladdin"], "open sesame\n");
    home.put("header", &["--type", "header", "--header", "X-Api-Key"], "k\r\n");
    home.grants(
        "- {handle: basic, destinations: [api.github.com], claims: {team: [build]}}
  - {handle: header, destinations: [api.github.com], claims: {team: [build]}}",
    );
    let running = home.serve();
    for (handle, name, value) in [
        ("basic", "authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("header", "x-api-key", "k"),
    ] {
        let mut request = home.request();
        request["handle"] = handle.into();
        assert_lease(&home.lease(&running, &request).await, name, value);
    }
}

async fn actors_have_credentials_of_their_own(store: Store) {
    let home = Home::bare(store);
    home.put("key", &["--actor", "alice"], "of-alice");
    home.put("key", &["--actor", "bob"], "of-bob");
    home.grants(
        "- {handle: key, actor: bob, destinations: [api.github.com], claims: {team: [build]}}",
    );
    let running = home.serve();
    let mut request = home.request();
    request["handle"] = "key".into();
    assert_lease(&home.lease(&running, &request).await, "authorization", "Bearer of-bob");
}

async fn no_lease_outlives_its_session_or_the_ceiling(store: Store) {
    let home = Home::new(store);
    home.put("long", &[], "x");
    let running = home.serve();
    let ends = now() + 20;
    let mut request = home.request();
    request["session"] = home.token_with("exp", json!(ends)).into();
    assert_eq!(home.lease(&running, &request).await.json()["expires_at"], ends);
    let mut request = home.request();
    request["handle"] = "long".into();
    let lease = home.lease(&running, &request).await.json();
    let left = lease["expires_at"].as_u64().unwrap() - now();
    assert!((890..=900).contains(&left), "{left}");
}

#[tokio::test]
async fn the_session_is_verified_here_too() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let stranger = SigningKey::generate(Algorithm::EdDsa, Some("k1")).unwrap();
    let unknown = SigningKey::generate(Algorithm::EdDsa, Some("k2")).unwrap();
    let of = |name: &str, value: Value| home.token_with(name, value);
    for (what, token) in [
        ("garbage", "x".into()),
        ("empty", String::new()),
        ("another key", stranger.sign(&home.claims()).unwrap()),
        ("unknown kid", unknown.sign(&home.claims()).unwrap()),
        (
            "none",
            home.key
                .sign_with_header(&json!({"alg": "none", "kid": "k1"}), &home.claims())
                .unwrap(),
        ),
        (
            "HMAC",
            home.key
                .sign_with_header(&json!({"alg": "HS256", "kid": "k1"}), &home.claims())
                .unwrap(),
        ),
        ("iss", of("iss", json!("https://elsewhere.example"))),
        ("aud", of("aud", json!("elsewhere"))),
        ("ended", of("exp", json!(now() - 31))),
        // There is no leeway for the end.
        ("just ended", {
            let mut c = home.claims();
            c["iat"] = json!(now() - 60);
            c["exp"] = json!(now() - 1);
            home.key.sign(&c).unwrap()
        }),
        ("not yet", of("nbf", json!(now() + 600))),
        ("too old", of("iat", json!(now() - 3640))),
        ("text as exp", of("exp", json!("9999999999"))),
        ("no jti", of("jti", Value::Null)),
        ("over 8 KiB", of("pad", json!("x".repeat(8192)))),
    ] {
        let mut request = home.request();
        request["session"] = token.into();
        let answer = home.lease(&running, &request).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        assert_refused(&answer, RefusalCode::SessionRefused);
    }
    assert_eq!(home.lease(&running, &home.request()).await.status, 200, "the next good one works");
}

async fn what_no_grant_names_is_denied(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    for (field, value, reason) in [
        ("handle", json!("elsewhere"), "handle"),
        ("destination", json!("github.com:443"), "destination"),
        ("destination", json!("api.github.com:8443"), "destination"),
        ("destination", json!("github.example:8443"), "destination"),
        ("destination", json!("api.github.com.evil.example:443"), "destination"),
        ("method", json!("POST"), "method"),
        ("method", json!("get"), "method"),
        ("binding", json!("single_use"), "binding"),
        ("session", json!(home.token_with("team", json!("sales"))), "claims"),
        ("session", json!(home.token_with("team", Value::Null)), "claims"),
    ] {
        let mut request = home.request();
        request[field] = value.clone();
        assert_refused(&home.lease(&running, &request).await, RefusalCode::NotGranted);
        let last = home.records().pop().unwrap();
        assert_eq!(last["outcome"], "deny");
        assert_eq!((&last["code"], &last["reason"]), (&json!("not_granted"), &json!(reason)));
        assert_eq!(last["subject"], "ci-job-7");
    }
    // The same request without the change is granted, under another spelling of the host too.
    for destination in ["api.github.com:443", "API.GitHub.com.", "a.b.github.example:8443"] {
        let mut request = home.request();
        request["destination"] = destination.into();
        assert_eq!(home.lease(&running, &request).await.status, 200, "{destination}");
    }
}

async fn a_grant_without_a_stored_credential_is_unavailable(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let mut request = home.request();
    request["handle"] = "not-stored".into();
    assert_refused(&home.lease(&running, &request).await, RefusalCode::Unavailable);
    let records = home.records();
    let [.., granted, failed] = &records[..] else { panic!("two records") };
    assert_eq!((&granted["event"], &granted["outcome"]), (&json!("lease"), &json!("allow")));
    assert_eq!(failed["event"], "lease_failed");
    assert_eq!(failed["reason"], "credential_absent");
    assert_eq!(failed["lease_id"], granted["lease_id"]);
    // No restart is needed once it is stored.
    home.put("not-stored", &[], "now-it-is");
    assert_lease(&home.lease(&running, &request).await, "authorization", "Bearer now-it-is");
}

async fn a_changed_store_gives_nothing(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    home.tamper("UPDATE credential SET handle = 'not-stored'");
    let mut request = home.request();
    request["handle"] = "not-stored".into();
    assert_refused(&home.lease(&running, &request).await, RefusalCode::Unavailable);
    assert_eq!(home.records().pop().unwrap()["reason"], "credential_unreadable");
}

#[tokio::test]
async fn what_is_no_lease_request() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let good = home.request();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut request = good.clone();
        change(&mut request);
        request.to_string().into_bytes()
    };
    for body in [
        b"".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"\xff".to_vec(),
        changed(&|r| r["extra"] = json!(1)),
        changed(&|r| r["handle"] = json!("../root.key")),
        changed(&|r| r["destination"] = json!("user@api.github.com")),
        changed(&|r| r["binding"] = json!("forever")),
        changed(&|r| _ = r.as_object_mut().unwrap().remove("destination")),
    ] {
        assert_refused(&home.lease_raw(&running, body).await, RefusalCode::BadRequest);
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let of_length = |length: usize| {
        let mut body = home.request().to_string().into_bytes();
        body.resize(length, b' ');
        body
    };
    assert_eq!(home.lease_raw(&running, of_length(64 * 1024)).await.status, 200);
    let answer = home.lease_raw(&running, of_length(64 * 1024 + 1)).await;
    assert_refused(&answer, RefusalCode::BadRequest);
}

async fn many_at_once(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let request = home.request();
    let one = || home.lease(&running, &request);
    let all = tokio::join!(one(), one(), one(), one(), one(), one(), one(), one());
    let ids: std::collections::BTreeSet<String> =
        [all.0, all.1, all.2, all.3, all.4, all.5, all.6, all.7]
            .iter()
            .map(|answer| answer.json()["lease_id"].to_string())
            .collect();
    assert_eq!(ids.len(), 8);
    assert!(home.verify().status.success());
}

async fn everything_is_counted(store: Store) {
    let home = Home::new(store);
    let running: Running = home.serve();
    home.lease(&running, &home.request()).await;
    home.lease_raw(&running, b"{".to_vec()).await;
    let mut request = home.request();
    request["session"] = "x".into();
    home.lease(&running, &request).await;
    let page = plain_get(running.health, "/metrics").await;
    assert!(page.content_type.starts_with("text/plain; version=0.0.4"));
    let page = page.text();
    for line in [
        "leasehold_custody_leases_total{decision=\"allowed\",code=\"\"} 1",
        "leasehold_custody_leases_total{decision=\"denied\",code=\"bad_request\"} 1",
        "leasehold_custody_leases_total{decision=\"denied\",code=\"session_refused\"} 1",
        "leasehold_custody_sessions_refused_total{code=\"session_malformed\"} 1",
        "leasehold_custody_lease_seconds_count 3",
        // started, the lease, the sample of the refused session
        "leasehold_custody_audit_records_total 3",
    ] {
        assert!(page.lines().any(|own| own == line), "{line}\n{page}");
    }
}
