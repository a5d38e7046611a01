//! The description against the thing: real answers of every operation follow their schemas, and there
//! is no route that is not described.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;
#[path = "openapi/limits.rs"]
mod limits;

use common::client::{Answer, plain_get};
use common::stores::{Store, on_both_stores};
use common::workers::WorkersHome;
use common::{Running, custody, run};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::BTreeSet;

on_both_stores! {
    #[tokio::test]
    every_answer_is_as_described,
}

struct Described(Value);

impl Described {
    fn read() -> Self {
        let output = run(custody().arg("openapi"), b"");
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn operations(&self) -> BTreeSet<(String, String)> {
        let paths = self.0["paths"].as_object().unwrap();
        let each = paths.iter().flat_map(|(path, verbs)| {
            verbs.as_object().unwrap().keys().map(move |verb| (verb.to_uppercase(), path.clone()))
        });
        each.collect()
    }

    /// Panics if the schema is not there.
    fn schema(&self, pointer: &str) -> Validator {
        let schema = self.0.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        // The schema, with what it refers to.
        let whole = json!({"components": self.0["components"], "allOf": [schema]});
        jsonschema::draft202012::new(&whole).unwrap()
    }

    fn holds(&self, method: &str, path: &str, answer: &Answer) {
        let path = path.replace('~', "~0").replace('/', "~1");
        let at = format!("/paths/{path}/{}/responses/{}", method.to_lowercase(), answer.status);
        let described = self.0.pointer(&at).unwrap_or_else(|| panic!("{at} is not described"));
        if described.get("content").is_none() {
            assert!(answer.body.is_empty(), "{at}");
            return;
        }
        let schema = self.schema(&format!("{at}/content/application~1json/schema"));
        let told: Vec<_> = schema.iter_errors(&answer.json()).map(|e| e.to_string()).collect();
        assert!(told.is_empty(), "{at}: {told:?}\n{}", answer.text());
    }

    /// Is this body one that the description allows?
    fn allows(&self, method: &str, path: &str, body: &Value) -> bool {
        let path = path.replace('/', "~1");
        let at = format!(
            "/paths/{path}/{}/requestBody/content/application~1json/schema",
            method.to_lowercase()
        );
        self.schema(&at).is_valid(body)
    }
}

/// One call: the described path, the real one, a body.
type Call = (&'static str, &'static str, String, Option<Value>);

fn admin_calls() -> Vec<Call> {
    let call = |method, path: &'static str, body| (method, path, path.to_owned(), body);
    let at = |method, path, real: &str, body| (method, path, real.to_owned(), body);
    let credential = "/v1/credentials/{actor}/{handle}";
    let revocation = "/v1/revocations/{kind}/{id}";
    let question = json!({"claims": {"team": "build"}, "handle": "github-ci",
        "destination": "api.github.com", "method": "GET"});
    let denied = json!({"claims": {}, "handle": "x", "destination": "a", "method": "GET",
        "binding": "single_use"});
    vec![
        at(
            "PUT",
            credential,
            "/v1/credentials/a/b",
            Some(json!({"type": "opaque", "bytes": "AA=="})),
        ),
        at("PUT", credential, "/v1/credentials/a/b", Some(json!({"type": "opaque"}))),
        at("GET", credential, "/v1/credentials/a/b", None),
        at("GET", credential, "/v1/credentials/a/c", None),
        call("GET", "/v1/credentials", None),
        call("GET", "/v1/leases", None),
        at("GET", "/v1/leases", "/v1/leases?limit=0", None),
        call("GET", "/v1/sessions", None),
        call(
            "POST",
            "/v1/revocations",
            Some(json!({"kind": "session", "id": "s", "until": 4102444800u64})),
        ),
        call("POST", "/v1/revocations", Some(json!({"kind": "handle", "id": "h"}))),
        call("POST", "/v1/revocations", Some(json!({"kind": "planet", "id": "h"}))),
        call("GET", "/v1/revocations", None),
        at("DELETE", revocation, "/v1/revocations/handle/h", None),
        at("DELETE", revocation, "/v1/revocations/handle/h", None),
        at("DELETE", revocation, "/v1/revocations/handle/a%20b", None),
        call("PUT", "/v1/kill-switch", Some(json!({"on": true}))),
        call("PUT", "/v1/kill-switch", Some(json!({"on": false}))),
        call("PUT", "/v1/kill-switch", Some(json!({"on": 1}))),
        call("GET", "/v1/kill-switch", None),
        call("POST", "/v1/grants/check", Some(question)),
        call("POST", "/v1/grants/check", Some(denied)),
        call("POST", "/v1/grants/check", Some(json!({}))),
        call("POST", "/v1/grants/reload", None),
        call("POST", "/v1/root-key/rotate", None),
        call("GET", "/v1/status", None),
        call("GET", "/openapi.json", None),
        at("DELETE", credential, "/v1/credentials/a/b", None),
        at("DELETE", credential, "/v1/credentials/a/b", None),
    ]
}

async fn admin_answers(workers: &WorkersHome, running: &Running, described: &Described) {
    let home = &workers.home;
    home.lease(running, &home.request()).await;
    for (method, path, real, body) in admin_calls() {
        let sent = body.as_ref().map(|body| body.to_string().into_bytes());
        let client = home.operator_client();
        let answer = client.send(running.admin, method, &real, &[], sent.as_deref()).await.unwrap();
        described.holds(method, path, &answer);
        // What is taken is described, and what is described too narrowly would show here.
        if let Some(body) = body.filter(|_| answer.status == 200) {
            assert!(described.allows(method, path, &body), "{method} {path} {body}");
        }
    }
    home.edit("grants:", "grants: 1\nx:");
    let client = home.operator_client();
    let path = "/v1/grants/reload";
    let answer = client.send(running.admin, "POST", path, &[], None).await.unwrap();
    assert_eq!(answer.status, 422, "{}", answer.text());
    described.holds("POST", path, &answer);
}

async fn worker_answers(workers: &WorkersHome, running: &Running, described: &Described) {
    let kinds = ["bearer", "basic", "api_key", "header_set", "ssh_certificate", "kerberos_ticket"];
    let credentials = [
        json!({"type": "bearer", "token": "t"}),
        json!({"type": "basic", "user": "u", "password": "p"}),
        json!({"type": "api_key", "header": "x-a", "key": "k"}),
        json!({"type": "header_set", "headers": [{"name": "x-a", "value": "v"}]}),
        json!({"type": "ssh_certificate", "certificate": "c", "private_key": "k"}),
        json!({"type": "kerberos_ticket", "principal": "p", "ccache": "AA=="}),
    ];
    for (kind, credential) in kinds.into_iter().zip(credentials) {
        let body = json!({"actor": "a", "service": kind, "credential": credential});
        let token = workers.token("cred.store", "a", kind);
        let stored = workers.call(running, "store", &token, body.clone()).await;
        assert_eq!(stored.status, 200, "{}", stored.text());
        described.holds("POST", "/v1/cred/store", &stored);
        assert!(described.allows("POST", "/v1/cred/store", &body), "{body}");
        let replayed = workers.call(running, "store", &token, body).await;
        described.holds("POST", "/v1/cred/store", &replayed);
        let body = json!({"actor": "a", "service": kind, "type": kind, "ttl": 60});
        let token = workers.token("cred.fetch", "a", kind);
        let fetched = workers.call(running, "fetch", &token, body.clone()).await;
        assert_eq!(fetched.status, 200, "{}", fetched.text());
        described.holds("POST", "/v1/cred/fetch", &fetched);
        assert!(described.allows("POST", "/v1/cred/fetch", &body), "{body}");
    }
    for (service, body) in [
        ("absent", json!({"actor": "a", "service": "absent"})),
        ("absent", json!({"actor": "b", "service": "absent"})),
        ("absent", json!({"actor": "a", "service": "absent", "ttl": 901})),
    ] {
        let token = workers.token("cred.fetch", "a", service);
        let refused = workers.call(running, "fetch", &token, body).await;
        assert!(refused.status >= 400);
        described.holds("POST", "/v1/cred/fetch", &refused);
    }
    let token = workers.token("cred.teardown", "a", "*");
    let body = json!({"actor": "a"});
    let gone = workers.call(running, "teardown", &token, body.clone()).await;
    assert_eq!(gone.status, 200);
    described.holds("POST", "/v1/cred/teardown", &gone);
    assert!(described.allows("POST", "/v1/cred/teardown", &body));
}

async fn edge_answers(workers: &WorkersHome, running: &Running, described: &Described) {
    let home = &workers.home;
    let mut denied = home.request();
    denied["handle"] = "other".into();
    let outcome = "/v1/leases/{id}/outcome";
    for (method, path, real, body) in [
        ("POST", "/v1/leases", "/v1/leases", Some(home.request())),
        ("POST", "/v1/leases", "/v1/leases", Some(denied)),
        ("POST", "/v1/leases", "/v1/leases", Some(json!({}))),
        ("POST", outcome, "/v1/leases/lse_x/outcome", Some(json!({"outcome": "delivered"}))),
        ("POST", outcome, "/v1/leases/lse_x/outcome", Some(json!({"outcome": "lost"}))),
        ("GET", "/v1/sync", "/v1/sync", None),
        ("GET", "/v1/sync", "/v1/sync?wait=many", None),
        ("POST", "/v1/seen", "/v1/seen", Some(json!({"sessions": ["s"]}))),
        ("POST", "/v1/seen", "/v1/seen", Some(json!({}))),
        ("GET", "/healthz", "/healthz", None),
    ] {
        let sent = body.as_ref().map(|body| body.to_string().into_bytes());
        let answer = home
            .edge_client()
            .send(running.edge, method, real, &[], sent.as_deref())
            .await
            .unwrap();
        described.holds(method, path, &answer);
        if let Some(body) = body.filter(|_| answer.status < 300) {
            assert!(described.allows(method, path, &body), "{method} {path} {body}");
        }
    }
    described.holds("GET", "/healthz", &plain_get(running.health, "/healthz").await);
}

async fn every_answer_is_as_described(store: Store) {
    let workers = WorkersHome::new(store);
    let running = workers.home.serve();
    let described = Described::read();
    edge_answers(&workers, &running, &described).await;
    worker_answers(&workers, &running, &described).await;
    admin_answers(&workers, &running, &described).await;
}

#[test]
fn every_described_operation_was_called_and_none_is_missing() {
    let described = Described::read().operations();
    let called =
        admin_calls().into_iter().map(|(method, path, ..)| (method.to_owned(), path.to_owned()));
    let others = [
        ("POST", "/v1/cred/store"),
        ("POST", "/v1/cred/fetch"),
        ("POST", "/v1/cred/teardown"),
        ("POST", "/v1/leases"),
        ("POST", "/v1/leases/{id}/outcome"),
        ("GET", "/v1/sync"),
        ("POST", "/v1/seen"),
        ("GET", "/healthz"),
    ];
    let others = others.map(|(method, path)| (method.to_owned(), path.to_owned()));
    assert_eq!(described, called.chain(others).collect());
}

/// Operators' and workers' routes are made of the table that is described; the edge's stand in the
/// source, and are read from there.
#[test]
fn the_edges_routes_are_the_described_ones() {
    let source = include_str!("../src/http/routes.rs");
    let edge = source.split("pub fn edge_routes").nth(1).unwrap().split("\n}").next().unwrap();
    let routes: BTreeSet<_> = edge
        .split(".route(\"")
        .skip(1)
        .map(|rest| {
            let (path, rest) = rest.split_once("\", ").unwrap();
            let (verb, _) = rest.split_once('(').unwrap();
            (verb.to_uppercase(), path.to_owned())
        })
        .collect();
    let described = Described::read();
    let tagged = described.operations().into_iter().filter(|(method, path)| {
        let path = path.replace('/', "~1");
        let at = format!("/paths/{path}/{}/tags/0", method.to_lowercase());
        described.0.pointer(&at) == Some(&json!("edge"))
    });
    assert_eq!(routes, tagged.collect());
}

#[test]
fn the_document_is_openapi() {
    let Described(document) = Described::read();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for verbs in document["paths"].as_object().unwrap().values() {
        for operation in verbs.as_object().unwrap().values() {
            assert!(names.insert(operation["operationId"].to_string()), "{operation}");
            assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{operation}");
            assert!(!operation["security"].as_array().unwrap().is_empty());
        }
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
