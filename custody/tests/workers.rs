//! The credential API on the real binary: workers, capability tokens, and what each refusal is
//! called.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::stores::{Store, on_both_stores};
use common::workers::WorkersHome;
use common::{CANARY, Running, now};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::fs;

// The others are refused before the ledger is asked.
on_both_stores! {
    #[tokio::test]
    every_type_is_stored_fetched_and_torn_down,
    what_is_not_made_of_headers_must_be_asked_for_by_type,
    what_an_operator_puts_as_opaque_a_worker_gets_byte_for_byte,
    strangers_tokens_and_no_tokens_and_one_used_twice,
    of_many_calls_with_one_token_one_is_answered_also_after_kill_9,
    revoked_handles_and_actors_and_the_kill_switch_stop_fetching,
    nothing_is_done_while_the_audit_log_fails,
}

fn bearer() -> Value {
    json!({"type": "bearer", "token": CANARY})
}

async fn stored(workers: &WorkersHome, running: &Running, actor: &str, service: &str, what: Value) {
    let token = workers.token("cred.store", actor, service);
    let body = json!({"actor": actor, "service": service, "credential": what});
    let answer = workers.call(running, "store", &token, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

async fn fetch(
    workers: &WorkersHome,
    running: &Running,
    actor: &str,
    service: &str,
    kind: Option<&str>,
) -> (u16, Value) {
    let token = workers.token("cred.fetch", actor, service);
    let body = json!({"actor": actor, "service": service, "type": kind});
    let answer = workers.call(running, "fetch", &token, body).await;
    (answer.status, answer.json())
}

async fn every_type_is_stored_fetched_and_torn_down(store: Store) {
    let workers = WorkersHome::new(store);
    let running = workers.home.serve();
    let all = [
        json!({"type": "bearer", "token": CANARY}),
        json!({"type": "basic", "user": "ci", "password": CANARY}),
        json!({"type": "api_key", "header": "x-api-key", "key": CANARY}),
        json!({"type": "header_set", "headers": [{"name": "x-a", "value": CANARY}, {"name": "x-b", "value": "2"}]}),
        json!({"type": "ssh_certificate", "certificate": "ssh-ed25519-cert-v01@openssh.com AAAA",
            "private_key": format!("-----BEGIN-----\n{CANARY}\n")}),
        json!({"type": "kerberos_ticket", "principal": "ci@EXAMPLE", "ccache": "BQQAAQ=="}),
        json!({"type": "opaque", "bytes": "AAECAw=="}),
    ];
    for credential in &all {
        let kind = credential["type"].as_str().unwrap();
        stored(&workers, &running, "tenant-a", kind, credential.clone()).await;
        let (status, fetched) = fetch(&workers, &running, "tenant-a", kind, Some(kind)).await;
        assert_eq!(status, 200, "{fetched}");
        assert_eq!(fetched["credential"], *credential);
        let expires_at = fetched["expires_at"].as_u64().unwrap();
        assert!(expires_at > now() && expires_at <= now() + 300, "{expires_at}");
    }
    stored(&workers, &running, "tenant-b", "kept", bearer()).await;

    let token = workers.token("cred.teardown", "tenant-a", "*");
    let gone = workers.call(&running, "teardown", &token, json!({"actor": "tenant-a"})).await;
    assert_eq!(
        gone.json(),
        json!({"actor": "tenant-a", "credentials": 7, "leases": 7, "complete": true})
    );
    for credential in &all {
        let kind = credential["type"].as_str().unwrap();
        let (status, _) = fetch(&workers, &running, "tenant-a", kind, Some(kind)).await;
        assert_eq!(status, 404, "{kind}");
    }
    assert_eq!(fetch(&workers, &running, "tenant-b", "kept", None).await.0, 200);
    let log = fs::read_to_string(workers.home.audit()).unwrap();
    assert!(log.contains("cred.teardown") && log.contains("worker-7"), "{log}");
    assert!(!log.contains(CANARY) && !running.log.lock().unwrap().contains(CANARY));
    assert!(workers.home.verify().status.success());
}

async fn what_is_not_made_of_headers_must_be_asked_for_by_type(store: Store) {
    let workers = WorkersHome::new(store);
    let running = workers.home.serve();
    let opaque = json!({"type": "opaque", "bytes": "AAEC"});
    stored(&workers, &running, "a", "ticket", opaque).await;
    for kind in [None, Some("bearer")] {
        let (status, refused) = fetch(&workers, &running, "a", "ticket", kind).await;
        assert_eq!((status, &refused["code"]), (503, &json!("credential_unfit")), "{kind:?}");
    }
    assert_eq!(fetch(&workers, &running, "a", "ticket", Some("opaque")).await.0, 200);
    let (status, refused) = fetch(&workers, &running, "a", "ticket", Some("planet")).await;
    assert_eq!((status, &refused["code"]), (400, &json!("bad_request")));
}

async fn what_an_operator_puts_as_opaque_a_worker_gets_byte_for_byte(store: Store) {
    let workers = WorkersHome::new(store);
    let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    workers.home.put("key", &["--type", "opaque"], pem);
    let running = workers.home.serve();
    let (status, fetched) = fetch(&workers, &running, "default", "key", Some("opaque")).await;
    assert_eq!((status, &fetched["credential"]["bytes"]), (200, &json!(STANDARD.encode(pem))));
}

/// What is wrong with a token, as a change of its claims.
type Wrong = (&'static str, fn(&mut Value));

#[tokio::test]
async fn each_wrong_claim_has_its_code() {
    let workers = WorkersHome::new(Store::Sqlite);
    let running = workers.home.serve();
    stored(&workers, &running, "a", "s", bearer()).await;
    let body = json!({"actor": "a", "service": "s"});
    let cases: &[Wrong] = &[
        ("capability_issuer", |c| c["iss"] = "https://evil.example".into()),
        ("capability_audience", |c| c["aud"] = "leasehold-edge".into()),
        ("capability_expired", |c| {
            c["iat"] = (now() - 200).into();
            c["exp"] = (now() - 100).into();
        }),
        ("capability_stale", |c| {
            c["iat"] = (now() - 61).into();
            c["exp"] = (now() + 600).into();
        }),
        ("capability_not_yet_valid", |c| {
            c["iat"] = (now() + 100).into();
            c["exp"] = (now() + 200).into();
        }),
        ("capability_lifetime", |c| {
            c["iat"] = (now() + 20).into();
            c["exp"] = (now() + 10).into();
        }),
        ("capability_claims", |c| c["jti"] = Value::Null),
        ("capability_claims", |c| c["actor"] = 7.into()),
        ("capability_claims", |c| c["service"] = Value::Null),
        ("capability_claims", |c| c["op"] = Value::Null),
        ("capability_operation", |c| c["op"] = "cred.store".into()),
        ("capability_operation", |c| c["op"] = "everything".into()),
        ("capability_actor", |c| c["actor"] = "b".into()),
        ("capability_service", |c| c["service"] = "t".into()),
        ("capability_service", |c| c["service"] = "*".into()),
    ];
    for (code, spoil) in cases {
        let mut claims = workers.claims("cred.fetch", "a", "s");
        spoil(&mut claims);
        let token = workers.issuer.sign(&claims).unwrap();
        let refused = workers.call(&running, "fetch", &token, body.clone()).await;
        assert_eq!(refused.json()["code"], *code, "{claims}");
        let forbidden = ["operation", "actor", "service"].iter().any(|end| code.ends_with(end));
        assert_eq!(refused.status, if forbidden { 403 } else { 401 }, "{code}");
    }
}

async fn strangers_tokens_and_no_tokens_and_one_used_twice(store: Store) {
    let workers = WorkersHome::new(store);
    let running = workers.home.serve();
    stored(&workers, &running, "a", "s", bearer()).await;
    let body = json!({"actor": "a", "service": "s"});
    let other = SigningKey::generate(Algorithm::EdDsa, Some("c1")).unwrap();
    let stranger = SigningKey::generate(Algorithm::EdDsa, Some("c9")).unwrap();
    let claims = workers.claims("cred.fetch", "a", "s");
    let session = workers.home.token();
    for (code, token) in [
        ("capability_signature", other.sign(&claims).unwrap()),
        ("capability_unknown_key", stranger.sign(&claims).unwrap()),
        ("capability_unknown_key", session),
        ("capability_malformed", "not.a.token".to_owned()),
        ("capability_too_large", "x".repeat(9000)),
    ] {
        let refused = workers.call(&running, "fetch", &token, body.clone()).await;
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!(code)));
    }
    let good = workers.token("cred.fetch", "a", "s");
    let (basic, twice) = (format!("Basic {good}"), format!("Bearer {good}"));
    for headers in [
        &[][..],
        &[("authorization", basic.as_str())],
        &[("authorization", good.as_str())],
        &[("authorization", twice.as_str()), ("authorization", twice.as_str())],
    ] {
        let refused = workers.send(&running, "fetch", headers, &body.to_string()).await;
        assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("capability_missing")));
    }
    // None of these spent it.
    assert_eq!(workers.call(&running, "fetch", &good, body.clone()).await.status, 200);
    let refused = workers.call(&running, "fetch", &good, body).await;
    assert_eq!((refused.status, &refused.json()["code"]), (401, &json!("capability_replayed")));
}

async fn of_many_calls_with_one_token_one_is_answered_also_after_kill_9(store: Store) {
    let workers = WorkersHome::new(store);
    let mut running = workers.home.serve();
    stored(&workers, &running, "a", "s", bearer()).await;
    let token = workers.token("cred.fetch", "a", "s");
    let body = json!({"actor": "a", "service": "s"});
    let calls = (0..20).map(|_| workers.call(&running, "fetch", &token, body.clone()));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let running = workers.home.serve();
    let refused = workers.call(&running, "fetch", &token, body).await;
    assert_eq!(refused.json()["code"], "capability_replayed");
}

async fn revoked_handles_and_actors_and_the_kill_switch_stop_fetching(store: Store) {
    let workers = WorkersHome::new(store);
    let running = workers.home.serve();
    stored(&workers, &running, "a", "s", bearer()).await;
    let operator = workers.home.operator_client();
    for (method, path, body, code) in [
        ("PUT", "/v1/kill-switch", json!({"on": true}), "kill_switch"),
        ("PUT", "/v1/kill-switch", json!({"on": false}), ""),
        ("POST", "/v1/revocations", json!({"kind": "handle", "id": "s"}), "handle_revoked"),
        ("DELETE", "/v1/revocations/handle/s", Value::Null, ""),
        ("POST", "/v1/revocations", json!({"kind": "actor", "id": "a"}), "actor_revoked"),
    ] {
        let body = body.to_string();
        let body = Some(body.as_bytes());
        let done = operator.send(running.admin, method, path, &[], body).await.unwrap();
        assert_eq!(done.status, 200, "{}", done.text());
        let (status, answer) = fetch(&workers, &running, "a", "s", None).await;
        match code {
            "" => assert_eq!(status, 200, "{answer}"),
            code => assert_eq!((status, &answer["code"]), (403, &json!(code))),
        }
    }
}

async fn nothing_is_done_while_the_audit_log_fails(store: Store) {
    let workers = WorkersHome::new(store);
    let running = workers.home.serve();
    stored(&workers, &running, "a", "s", bearer()).await;
    let sound = fs::read(workers.home.audit()).unwrap();
    fs::write(workers.home.audit(), [&sound[..], b"somebody else\n"].concat()).unwrap();
    let token = workers.token("cred.teardown", "a", "*");
    let body = json!({"actor": "a"});
    let refused = workers.call(&running, "teardown", &token, body).await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &json!("audit_unavailable")));
    let (status, refused) = fetch(&workers, &running, "a", "s", None).await;
    assert_eq!((status, &refused["code"]), (503, &json!("audit_unavailable")));
    fs::write(workers.home.audit(), sound).unwrap();
    assert_eq!(fetch(&workers, &running, "a", "s", None).await.0, 200);
}

#[tokio::test]
async fn a_worker_gets_in_at_its_own_door_only() {
    let workers = WorkersHome::new(Store::Sqlite);
    let home = &workers.home;
    let running = home.serve();
    let token = workers.token("cred.fetch", "a", "s");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let body = Some(&b"{}"[..]);
    for address in [running.admin, running.edge] {
        let answer = workers.client().send(address, "GET", "/healthz", &[], None).await;
        assert!(answer.is_err(), "{address}");
    }
    for client in [home.operator_client(), home.edge_client()] {
        let answer = client.send(running.workers, "POST", "/v1/cred/fetch", &headers, body).await;
        assert!(answer.is_err(), "a token is not enough");
    }
    // Without the section, and on the listener of operators, there is no such path.
    let operator = home.operator_client();
    let answer = operator.send(running.admin, "POST", "/v1/cred/fetch", &headers, body).await;
    assert_eq!(answer.unwrap().status, 404);
}
