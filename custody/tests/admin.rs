//! The admin API on the real binary: what operators can do, and that nobody else can.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::client::Answer;
use common::stores::{Store, on_both_stores};
use common::{CANARY, Home, Running, now};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

// Who is refused by TLS never reaches a store; the others run on each.
on_both_stores! {
    #[tokio::test]
    a_revoked_session_gets_no_lease_until_it_is_restored,
    handles_actors_and_the_kill_switch_deny_too,
    the_kill_switch_and_revocations_survive_kill_9,
    how_long_a_revocation_lasts,
    ids_of_any_spelling_can_be_revoked_and_restored,
    credentials_go_in_and_are_never_shown,
    grants_can_be_tried_and_read_again,
    nothing_changes_while_the_audit_log_fails,
    status_tells_what_it_is_made_of,
    what_is_no_path_and_no_query,
}

/// Every operation, with a body that would do.
fn operations() -> Vec<(&'static str, &'static str, Option<Value>)> {
    vec![
        ("GET", "/v1/status", None),
        ("GET", "/v1/leases", None),
        ("GET", "/v1/sessions", None),
        ("GET", "/v1/revocations", None),
        ("POST", "/v1/revocations", Some(json!({"kind": "handle", "id": "github-ci"}))),
        ("DELETE", "/v1/revocations/handle/github-ci", None),
        ("GET", "/v1/kill-switch", None),
        ("PUT", "/v1/kill-switch", Some(json!({"on": true}))),
        ("GET", "/v1/credentials", None),
        ("GET", "/v1/credentials/default/github-ci", None),
        ("PUT", "/v1/credentials/default/new", Some(json!({"type": "bearer", "token": CANARY}))),
        ("DELETE", "/v1/credentials/default/github-ci", None),
        (
            "POST",
            "/v1/grants/check",
            Some(json!({"claims": {}, "handle": "h", "destination": "a.example", "method": "GET"})),
        ),
        ("POST", "/v1/grants/reload", None),
        ("POST", "/v1/root-key/rotate", None),
        ("GET", "/openapi.json", None),
    ]
}

async fn call(
    home: &Home,
    running: &Running,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let body = body.map(|body| body.to_string().into_bytes());
    let client = home.operator_client();
    client.send(running.admin, method, path, &[], body.as_deref()).await.unwrap()
}

async fn fine(
    home: &Home,
    running: &Running,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Value {
    let answer = call(home, running, method, path, body).await;
    assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
    answer.json()
}

fn orders(home: &Home) -> Vec<(String, String, String)> {
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let records = home.records().into_iter();
    let orders = records.filter(|record| record["event"] == "order");
    orders.map(|r| (text(&r, "by"), text(&r, "action"), text(&r, "target"))).collect()
}

#[tokio::test]
async fn every_operation_is_refused_to_everybody_but_operators() {
    let (home, other) = (Home::new(Store::Sqlite), Home::bare(Store::Sqlite));
    let running = home.serve();
    let before = home.records().len();
    let identity = |home: &Home, name: &str| {
        Some((home.path(&format!("{name}.pem")), home.path(&format!("{name}.key"))))
    };
    for (method, path, body) in operations() {
        let body = body.map(|body| body.to_string().into_bytes());
        for (who, identity) in [
            ("nobody", None),
            ("an edge", identity(&home, "edge-client")),
            ("another custody's operator", identity(&other, "operator")),
        ] {
            let mut client = home.operator_client();
            client.identity = identity;
            let answer = client.send(running.admin, method, path, &[], body.as_deref()).await;
            assert!(answer.is_err(), "{who}: {method} {path}");
        }
    }
    assert_eq!(home.records().len(), before, "nothing was ordered");
    assert_eq!(fine(&home, &running, "GET", "/v1/kill-switch", None).await, json!({"on": false}));
}

async fn a_revoked_session_gets_no_lease_until_it_is_restored(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let sessions = fine(&home, &running, "GET", "/v1/sessions", None).await;
    assert_eq!(sessions["sessions"][0]["session"], "https://control-plane.example#jti-1");
    assert_eq!(sessions["sessions"][0]["leases"], 1);

    let order = json!({"kind": "session", "id": "jti-1"});
    let revoked = fine(&home, &running, "POST", "/v1/revocations", Some(order)).await;
    assert_eq!(revoked["leases"], 1);
    assert_eq!(revoked["revocation"]["by"], "operator");
    assert_eq!(revoked["revocation"]["until"], Value::Null, "no limit says when it ends");
    let refused = home.lease(&running, &home.request()).await;
    assert_eq!((refused.status, refused.text()), (401, "{\"code\":\"session_refused\"}".into()));
    let sessions = fine(&home, &running, "GET", "/v1/sessions", None).await;
    assert_eq!(sessions["sessions"][0]["revoked"], true);

    let path = "/v1/revocations/session/jti-1";
    fine(&home, &running, "DELETE", path, None).await;
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let again = call(&home, &running, "DELETE", path, None).await;
    assert_eq!((again.status, &again.json()["code"]), (404, &json!("not_found")));
    let (by, name) = ("operator".to_owned(), "https://control-plane.example#jti-1".to_owned());
    assert_eq!(
        orders(&home)[..2],
        [(by.clone(), "revoke".to_owned(), name.clone()), (by, "restore".to_owned(), name)]
    );
}

async fn handles_actors_and_the_kill_switch_deny_too(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    for (kind, id) in [("handle", "github-ci"), ("actor", "default")] {
        let order = json!({"kind": kind, "id": id});
        fine(&home, &running, "POST", "/v1/revocations", Some(order)).await;
        let refused = home.lease(&running, &home.request()).await;
        assert_eq!((refused.status, refused.text()), (403, "{\"code\":\"not_granted\"}".into()));
        let path = format!("/v1/revocations/{kind}/{id}");
        fine(&home, &running, "DELETE", &path, None).await;
        assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    }
    fine(&home, &running, "PUT", "/v1/kill-switch", Some(json!({"on": true}))).await;
    assert_eq!(home.lease(&running, &home.request()).await.status, 403);
    fine(&home, &running, "PUT", "/v1/kill-switch", Some(json!({"on": false}))).await;
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
}

async fn the_kill_switch_and_revocations_survive_kill_9(store: Store) {
    let home = Home::new(store);
    let mut running = home.serve();
    fine(&home, &running, "PUT", "/v1/kill-switch", Some(json!({"on": true}))).await;
    let order = json!({"kind": "handle", "id": "github-ci"});
    fine(&home, &running, "POST", "/v1/revocations", Some(order)).await;
    running.child.kill().unwrap();
    running.child.wait().unwrap();

    let running = home.serve();
    assert_eq!(fine(&home, &running, "GET", "/v1/kill-switch", None).await, json!({"on": true}));
    let listed = fine(&home, &running, "GET", "/v1/revocations", None).await;
    assert_eq!(listed["revocations"][0]["id"], "github-ci");
    assert_eq!(home.lease(&running, &home.request()).await.status, 403);
}

async fn how_long_a_revocation_lasts(store: Store) {
    let home = Home::new(store);
    home.edit("  absolute: off", "  absolute: 12h");
    let running = home.serve();
    let revoke = async |body: Value| {
        let shown = fine(&home, &running, "POST", "/v1/revocations", Some(body)).await;
        shown["revocation"]["until"].as_u64()
    };
    let about = |until: Option<u64>, seconds: u64| {
        let left = until.unwrap() - now();
        assert!((seconds - 10..=seconds).contains(&left), "{left} {seconds}");
    };
    about(revoke(json!({"kind": "session", "id": "s"})).await, 12 * 3600 + 30);
    about(revoke(json!({"kind": "lease", "id": "unknown"})).await, 900 + 30);
    assert_eq!(revoke(json!({"kind": "handle", "id": "h"})).await, None);
    assert_eq!(revoke(json!({"kind": "actor", "id": "a"})).await, None);
    let later = now() + 77;
    assert_eq!(revoke(json!({"kind": "actor", "id": "b", "until": later})).await, Some(later));
    let past = json!({"kind": "actor", "id": "c", "until": now() - 1});
    let refused = call(&home, &running, "POST", "/v1/revocations", Some(past)).await;
    assert_eq!(refused.status, 400);
}

async fn ids_of_any_spelling_can_be_revoked_and_restored(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    for (id, escaped) in [
        ("a/b c", "a%2Fb%20c"),
        ("sid?x=1#y", "sid%3Fx%3D1%23y"),
        ("é\n", "%C3%A9%0A"),
        ("..", "%2E%2E"),
        ("https://control-plane.example#j", "https%3A%2F%2Fcontrol-plane.example%23j"),
    ] {
        // The only issuer may be left out.
        let name = match id.strip_prefix("https://control-plane.example#") {
            Some(_) => id.to_owned(),
            None => format!("https://control-plane.example#{id}"),
        };
        let order = json!({"kind": "session", "id": id});
        fine(&home, &running, "POST", "/v1/revocations", Some(order)).await;
        let path = format!("/v1/revocations/session/{escaped}");
        let restored = fine(&home, &running, "DELETE", &path, None).await;
        assert_eq!(restored["id"], name.as_str());
    }
    assert!(home.verify().status.success());
}

async fn credentials_go_in_and_are_never_shown(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let path = "/v1/credentials/ops/registry";
    let body = json!({"type": "basic", "user": "ci", "password": CANARY});
    let stored = fine(&home, &running, "PUT", path, Some(body)).await;
    assert_eq!((&stored["actor"], &stored["handle"]), (&json!("ops"), &json!("registry")));
    let shown = fine(&home, &running, "GET", path, None).await;
    assert_eq!((&shown["type"], &shown["shape"]), (&json!("basic"), &json!("basic, user ci")));
    let all = call(&home, &running, "GET", "/v1/credentials", None).await;
    assert_eq!(all.json()["credentials"].as_array().unwrap().len(), 2);
    assert!(!all.text().contains(CANARY));
    fine(&home, &running, "DELETE", path, None).await;
    for method in ["GET", "DELETE"] {
        assert_eq!(call(&home, &running, method, path, None).await.status, 404);
    }
    for (path, body) in [
        (path, json!({"type": "bearer"})),
        (path, json!({"type": "bearer", "token": format!("{CANARY}\n")})),
        (path, json!({"type": "bearer", "token": CANARY, "user": "x"})),
        ("/v1/credentials/a%20b/c", json!({"type": "bearer", "token": CANARY})),
        ("/v1/credentials/a/..%2Fc", json!({"type": "bearer", "token": CANARY})),
    ] {
        let refused = call(&home, &running, "PUT", path, Some(body)).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(!refused.text().contains("canary"), "{}", refused.text());
    }
    let huge = vec![b' '; custody::api::body::LIMIT + 1];
    let client = home.operator_client();
    let refused = client.send(running.admin, "PUT", path, &[], Some(&huge)).await.unwrap();
    assert_eq!(refused.status, 413);
    let log = fs::read_to_string(home.audit()).unwrap();
    assert!(log.contains("credential_put") && !log.contains(CANARY), "{log}");
    assert!(!running.log.lock().unwrap().contains(CANARY));
}

async fn grants_can_be_tried_and_read_again(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let check = async |claims: Value, handle: &str, destination: &str, method: &str| {
        let body = json!({"claims": claims, "handle": handle, "destination": destination,
            "method": method});
        fine(&home, &running, "POST", "/v1/grants/check", Some(body)).await
    };
    let build = || json!({"team": "build", "jti": "j"});
    for (verdict, why) in [
        (check(build(), "github-ci", "api.github.com", "GET").await, "granted"),
        (check(build(), "github-ci", "x.github.example:8443", "HEAD").await, "granted"),
        (check(build(), "github-ci", "api.github.com", "POST").await, "method"),
        (check(build(), "github-ci", "evil.example", "GET").await, "destination"),
        (check(build(), "nothing", "api.github.com", "GET").await, "handle"),
        (check(json!({"team": "ops"}), "github-ci", "api.github.com", "GET").await, "claims"),
        (check(json!({}), "github-ci", "api.github.com", "GET").await, "claims"),
    ] {
        assert_eq!(verdict["why"], why, "{verdict}");
        assert_eq!(verdict["granted"], why == "granted", "{verdict}");
    }
    let order = json!({"kind": "session", "id": "j"});
    fine(&home, &running, "POST", "/v1/revocations", Some(order)).await;
    let verdict = check(build(), "github-ci", "api.github.com", "GET").await;
    assert_eq!(verdict["why"], "session_revoked");

    let digest =
        async || fine(&home, &running, "GET", "/v1/status", None).await["grants"]["digest"].clone();
    let before = digest().await;
    home.edit("methods: [GET, HEAD]", "methods: [get]");
    let refused = call(&home, &running, "POST", "/v1/grants/reload", None).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("grants[0].methods[0]"), "{}", refused.text());
    assert_eq!(digest().await, before);
    home.edit("methods: [get]", "methods: [POST]");
    let now_in_force = fine(&home, &running, "POST", "/v1/grants/reload", None).await;
    assert_eq!(now_in_force["grants"], 3);
    assert_ne!(digest().await, before);
    let verdict = check(json!({"team": "build"}), "github-ci", "api.github.com", "POST").await;
    assert_eq!(verdict["granted"], true);
}

/// Root ignores modes, so the log is made unwritable by growing behind custody's back.
fn spoil_the_audit_log(home: &Home) {
    let mut text = fs::read(home.audit()).unwrap();
    text.extend_from_slice(b"somebody else\n");
    fs::write(home.audit(), text).unwrap();
}

async fn nothing_changes_while_the_audit_log_fails(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let sound = fs::read(home.audit()).unwrap();
    let config = fs::read_to_string(home.config()).unwrap();
    spoil_the_audit_log(&home);
    home.edit("methods: [GET, HEAD]", "methods: [POST]");
    for (method, path, body) in operations() {
        if method == "GET" || path.ends_with("/check") {
            continue;
        }
        let refused = call(&home, &running, method, path, body).await;
        assert_eq!(refused.status, 503, "{method} {path}: {}", refused.text());
        assert_eq!(refused.json()["code"], "audit_unavailable", "{method} {path}");
    }
    let status = fine(&home, &running, "GET", "/v1/status", None).await;
    assert_eq!(status["audit"]["healthy"], false);
    fs::write(home.config(), config).unwrap();
    fs::write(home.audit(), sound).unwrap();
    assert_eq!(fine(&home, &running, "GET", "/v1/kill-switch", None).await, json!({"on": false}));
    let listed = fine(&home, &running, "GET", "/v1/revocations", None).await;
    assert_eq!(listed["revocations"], json!([]));
    let stored = fine(&home, &running, "GET", "/v1/credentials", None).await;
    assert_eq!(stored["credentials"].as_array().unwrap().len(), 1);
    let verdict = json!({"claims": {"team": "build"}, "handle": "github-ci",
        "destination": "api.github.com", "method": "POST"});
    let verdict = fine(&home, &running, "POST", "/v1/grants/check", Some(verdict)).await;
    assert_eq!(verdict["granted"], false, "the grants are the old ones");
}

async fn status_tells_what_it_is_made_of(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    home.lease(&running, &home.request()).await;
    let status = fine(&home, &running, "GET", "/v1/status", None).await;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["ledger"]["kind"], store.name());
    assert_eq!(status["ledger"]["counts"]["leases"], 1);
    assert_eq!(status["ledger"]["counts"]["sessions"], 1);
    assert_eq!((&status["credentials"], &status["grants"]["grants"]), (&json!(1), &json!(3)));
    let last = home.records().pop().unwrap();
    assert_eq!(status["audit"]["head"]["hash"], last["hash"]);
    assert_eq!(status["audit"]["head"]["seq"], last["seq"]);
    assert_eq!(fs::metadata(home.audit()).unwrap().permissions().mode() & 0o777, 0o600);
}

async fn what_is_no_path_and_no_query(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    for (method, path, status, code) in [
        ("GET", "/v1/planets", 404, "not_found"),
        ("GET", "/metrics", 404, "not_found"),
        ("POST", "/v1/cred/fetch", 404, "not_found"),
        ("POST", "/v1/status", 405, "method_not_allowed"),
        ("GET", "/v1/leases?limit=0", 400, "bad_request"),
        ("GET", "/v1/leases?limit=many", 400, "bad_request"),
        ("GET", "/v1/leases?planet=x", 400, "bad_request"),
        ("GET", "/v1/leases?handle=a%20b", 400, "bad_request"),
        ("DELETE", "/v1/revocations/planet/x", 400, "bad_request"),
        ("POST", "/v1/revocations", 400, "bad_request"),
    ] {
        let answer = call(&home, &running, method, path, None).await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{path}");
        assert_eq!(answer.content_type, "application/json");
    }
    let listed = fine(&home, &running, "GET", "/v1/leases?all=true&handle=github-ci", None).await;
    assert_eq!(listed, json!({"leases": []}));
}
