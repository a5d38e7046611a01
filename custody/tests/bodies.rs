//! Whatever is sent to any route of any listener, custody answers with a status that its description
//! has, no task of it panics, and the next good request is served.
//! Bodies are read before a store is asked: one is enough.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::client::{Conversation, TestClient, plain_get};
use common::stores::Store;
use common::workers::WorkersHome;
use common::{CANARY, Running, custody, now, run};
use hyper::Request;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::net::SocketAddr;

const CASES: u32 = 40;

/// A route, and a body it would take.
struct Route {
    method: &'static str,
    /// As it is described.
    path: &'static str,
    real: &'static str,
    good: Value,
}

fn route(method: &'static str, path: &'static str, good: Value) -> Route {
    Route { method, path, real: path, good }
}

/// Every route of the operators' listener that reads a body.
fn operators() -> Vec<Route> {
    let credential = json!({"type": "header_set", "headers": [{"name": "x-a", "value": CANARY}]});
    let question = json!({"claims": {"team": "build", "jti": "j"}, "handle": "github-ci",
        "destination": "api.github.com", "method": "GET", "binding": "single_use"});
    vec![
        route(
            "POST",
            "/v1/revocations",
            json!({"kind": "session", "id": "s", "until": now() + 600}),
        ),
        route("PUT", "/v1/kill-switch", json!({"on": false})),
        route("POST", "/v1/grants/check", question),
        Route {
            real: "/v1/credentials/default/fuzzed",
            ..route("PUT", "/v1/credentials/{actor}/{handle}", credential)
        },
    ]
}

/// Every route of the workers' listener.
fn workers() -> Vec<Route> {
    let credential = json!({"type": "basic", "user": "u", "password": CANARY});
    vec![
        route(
            "POST",
            "/v1/cred/store",
            json!({"actor": "a", "service": "s", "credential": credential}),
        ),
        route(
            "POST",
            "/v1/cred/fetch",
            json!({"actor": "a", "service": "s", "type": "basic", "ttl": 60}),
        ),
        route("POST", "/v1/cred/teardown", json!({"actor": "a"})),
    ]
}

/// Every route of the edges' listener that reads a body.
fn edges(lease: Value) -> Vec<Route> {
    vec![
        route("POST", "/v1/leases", lease),
        Route {
            real: "/v1/leases/lse_1/outcome",
            ..route(
                "POST",
                "/v1/leases/{id}/outcome",
                json!({"outcome": "failed", "failure_code": "reset"}),
            )
        },
        route("POST", "/v1/seen", json!({"sessions": ["j", "k"]})),
    ]
}

/// JSON that somebody else thought of.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        select(vec!["single_use", "a.example:443", "session", "bearer", "*", "..", "\u{0}", ""])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let name = select(vec![
            "session",
            "handle",
            "destination",
            "method",
            "path",
            "binding",
            "outcome",
            "kind",
            "id",
            "until",
            "on",
            "claims",
            "actor",
            "service",
            "credential",
            "type",
            "token",
            "x",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..8).prop_map(|members| {
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}

/// What is done to a good body.
#[derive(Clone, Debug)]
enum Spoil {
    /// One member of it, at any depth, becomes this.
    Replace(Index, Value),
    Remove(Index),
    Add(Index, Value),
    /// One byte of it becomes this.
    Byte(Index, u8),
    Cut(Index),
    /// All of it is another.
    Whole(Vec<u8>),
    /// A thousand times deeper than anything reads.
    Nested(char),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let index = any::<Index>;
    prop_oneof![
        4 => (index(), any_json()).prop_map(|(at, value)| Spoil::Replace(at, value)),
        2 => index().prop_map(Spoil::Remove),
        2 => (index(), any_json()).prop_map(|(at, value)| Spoil::Add(at, value)),
        2 => (index(), any::<u8>()).prop_map(|(at, byte)| Spoil::Byte(at, byte)),
        1 => index().prop_map(Spoil::Cut),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Spoil::Whole),
        1 => any_json().prop_map(|json| Spoil::Whole(json.to_string().into_bytes())),
        1 => select(vec!['[', '{']).prop_map(Spoil::Nested),
    ]
}

/// Pointers to everything in it.
fn places(value: &Value, at: &str) -> Vec<String> {
    let inside: Vec<_> = match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| places(value, &format!("{at}/{name}")))
            .collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(number, value)| places(value, &format!("{at}/{number}"))).collect()
        }
        _ => Vec::new(),
    };
    [vec![at.to_owned()], inside].concat()
}

impl Spoil {
    fn of(&self, good: &Value) -> Vec<u8> {
        let mut body = good.clone();
        let at = |index: &Index| index.get(&places(good, "")).clone();
        match self {
            Self::Replace(index, value) => *body.pointer_mut(&at(index)).unwrap() = value.clone(),
            Self::Remove(index) => {
                let at = at(index);
                let (parent, name) = at.rsplit_once('/').unwrap_or_default();
                if let Some(Value::Object(members)) = body.pointer_mut(parent) {
                    members.remove(name);
                }
            }
            Self::Add(index, value) => {
                if let Some(Value::Object(members)) = body.pointer_mut(&at(index)) {
                    members.insert("more".into(), value.clone());
                }
            }
            Self::Byte(index, byte) => {
                let mut text = good.to_string().into_bytes();
                let at = index.index(text.len());
                text[at] = *byte;
                return text;
            }
            Self::Cut(index) => {
                let mut text = good.to_string().into_bytes();
                text.truncate(index.index(text.len()));
                return text;
            }
            Self::Whole(bytes) => return bytes.clone(),
            Self::Nested('[') => return "[".repeat(1000).into_bytes(),
            Self::Nested(_) => return "{\"a\":".repeat(1000).into_bytes(),
        }
        body.to_string().into_bytes()
    }
}

struct Scene {
    runtime: tokio::runtime::Runtime,
    workers: WorkersHome,
    running: Running,
    described: Value,
}

impl Scene {
    fn new() -> Self {
        let workers = WorkersHome::new(Store::Sqlite);
        // Nothing here is about rates.
        workers.home.append("limits: {per_session: off, per_handle: off}");
        let running = workers.home.serve();
        let described = serde_json::from_slice(&run(custody().arg("openapi"), b"").stdout).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self { runtime, workers, running, described }
    }

    /// Spoilt bodies at each of these routes, over one connection.
    fn fuzz(
        &self,
        (address, client): (SocketAddr, TestClient),
        routes: &[Route],
        authorization: impl Fn(&Route) -> Option<String>,
    ) {
        let opening = Conversation::open(TestClient { alpn: b"h2", ..client }, address);
        let conversation = self.runtime.block_on(opening);
        let config =
            ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
        for route in routes {
            proptest!(config.clone(), |(spoil in spoil())| {
                let body = spoil.of(&route.good);
                let mut request = Request::builder()
                    .method(route.method)
                    .uri(format!("https://custody.internal{}", route.real));
                if let Some(token) = authorization(route) {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let request = request.body(Body::from(body.clone())).unwrap();
                let answer = self.runtime.block_on(conversation.ask(request)).unwrap();
                let text = String::from_utf8_lossy(&body);
                let known = self.described["paths"][route.path][route.method.to_lowercase()]
                    ["responses"].as_object().unwrap();
                prop_assert!(
                    known.contains_key(&answer.status.to_string()),
                    "{} {}: {text}: {answer:?}", route.method, route.path
                );
                // What is refused is not repeated.
                let refused = answer.status >= 300;
                prop_assert!(!refused || !answer.text().contains(CANARY), "{text}: {answer:?}");
            });
        }
    }

    /// Nothing broke behind an answer that was in order.
    fn is_sound(&self) {
        let log = self.running.log.lock().unwrap().clone();
        assert!(!log.contains("panicked"), "{log}");
        let home = &self.workers.home;
        let (leased, healthy) = self.runtime.block_on(async {
            let leased = home.lease(&self.running, &home.request()).await.status;
            (leased, plain_get(self.running.health, "/healthz").await.status)
        });
        assert_eq!((leased, healthy), (200, 200));
        assert!(home.verify().status.success());
    }
}

#[test]
fn no_body_of_an_edge_breaks_a_route() {
    let scene = Scene::new();
    let home = &scene.workers.home;
    scene.fuzz((scene.running.edge, home.edge_client()), &edges(home.request()), |_| None);
    scene.is_sound();
}

#[test]
fn no_body_of_an_operator_breaks_a_route() {
    let scene = Scene::new();
    let home = &scene.workers.home;
    scene.fuzz((scene.running.admin, home.operator_client()), &operators(), |_| None);
    // Some of what was sent was an order; none of it stays.
    scene.runtime.block_on(async {
        let client = home.operator_client();
        let off = Some(&br#"{"on": false}"#[..]);
        let admin = scene.running.admin;
        let answer = client.send(admin, "PUT", "/v1/kill-switch", &[], off).await.unwrap();
        assert_eq!(answer.status, 200);
    });
    scene.is_sound();
}

#[test]
fn no_body_of_a_worker_breaks_a_route() {
    let scene = Scene::new();
    let workers_home = &scene.workers;
    scene.fuzz((scene.running.workers, workers_home.client()), &workers(), |route| {
        let operation = route.path.rsplit('/').next().unwrap();
        let service = if operation == "teardown" { "*" } else { "s" };
        Some(workers_home.token(&format!("cred.{operation}"), "a", service))
    });
    scene.is_sound();
}

/// The lists above leave out no route that reads a body.
#[test]
fn every_route_that_reads_a_body_is_here() {
    let described: Value =
        serde_json::from_slice(&run(custody().arg("openapi"), b"").stdout).unwrap();
    let mut with_body = Vec::new();
    for (path, verbs) in described["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            if operation.get("requestBody").is_some() {
                with_body.push((verb.to_uppercase(), path.clone()));
            }
        }
    }
    let routes = edges(json!({})).into_iter().chain(operators()).chain(workers());
    let mut here: Vec<_> =
        routes.map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    with_body.sort();
    here.sort();
    assert_eq!(with_body, here);
}
