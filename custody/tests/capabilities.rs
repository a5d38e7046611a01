//! In process: a capability token is verified, held against the request and spent, and the audit
//! record is durable, before a store or a backend is touched.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail where it stands")]

use async_trait::async_trait;
use axum::body::Body;
use custody::bulk_revocation::BulkRevocation;
use custody::failures::Failures;
use custody::metrics::Metrics;
use custody::vault::{CredentialShown, Vault, VaultFault};
use custody::workers::capability::Capabilities;
use custody::workers::{Parts, Workers, routes};
use custody_audit::{AuditLog, recovery};
use custody_backends::resolver::Resolver;
use custody_backends::sealed::Rotated;
use custody_backends::{BackendFault, CredentialBackend, CredentialRequest};
use custody_base::actor::Actor;
use custody_base::clock::Clock;
use custody_base::credential::{Credential, Resolved};
use custody_ledger::{LeaseFilter, Ledger, Missing, SqliteLedger};
use hyper::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use lease::{Handle, Secret};
use proptest::prelude::*;
use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, KeySet, Rules, Verifier};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

const NOW: u64 = 1_800_000_000;

/// A store and a backend that count who touches them, and look whether the audit log knows of it.
struct Watched {
    touched: AtomicUsize,
    audit: PathBuf,
    /// Whoever touches it waits for a permit, once the test has taken the first.
    go: Semaphore,
    done: AtomicUsize,
    taken_back: Mutex<Vec<String>>,
}

impl Watched {
    async fn touch(&self, action: &str) {
        self.touched.fetch_add(1, Ordering::SeqCst);
        let log = std::fs::read_to_string(&self.audit).unwrap();
        let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!((&last["event"], &last["action"]), (&json!("credential"), &json!(action)));
        drop(self.go.acquire().await.unwrap());
        self.done.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Vault for Watched {
    async fn put(&self, _: &Actor, _: &Handle, _: Credential) -> Result<u64, VaultFault> {
        self.touch("cred.store").await;
        Ok(1)
    }

    async fn list(&self) -> Result<Vec<CredentialShown>, VaultFault> {
        panic!("nobody asks for a list");
    }

    async fn delete(&self, _: &Actor, _: &Handle) -> Result<bool, VaultFault> {
        panic!("nobody deletes one");
    }

    async fn wipe(&self, _: &Actor) -> Result<u64, VaultFault> {
        self.touch("cred.teardown").await;
        Ok(3)
    }

    async fn rotate(&self) -> Result<Rotated, VaultFault> {
        panic!("nobody rotates keys");
    }
}

#[async_trait]
impl CredentialBackend for Watched {
    fn name(&self) -> &str {
        "watched"
    }

    fn is_capable(&self, _: &CredentialRequest<'_>) -> bool {
        true
    }

    async fn resolve(&self, _: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        self.touch("cred.fetch").await;
        let credential = Credential::Bearer { token: Secret::new("t") };
        let (target, scope, expires_at, made_from) = Default::default();
        let revocation = Some("value".to_owned());
        Ok(Resolved { credential, target, scope, expires_at, revocation, made_from })
    }

    async fn revoke(&self, revocation: &str) {
        self.taken_back.lock().unwrap().push(revocation.to_owned());
    }
}

struct Scene {
    _folder: tempfile::TempDir,
    routes: axum::Router,
    watched: Arc<Watched>,
    ledger: Arc<dyn Ledger>,
    key: SigningKey,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let (audit, _writing) = AuditLog::start(recovery::open(&path).unwrap()).await.unwrap();
        let watched = Arc::new(Watched {
            touched: AtomicUsize::new(0),
            audit: path,
            go: Semaphore::new(1),
            done: AtomicUsize::new(0),
            taken_back: Mutex::default(),
        });
        let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
        let keys = KeySet::from_jwks(&key.public_jwks()).unwrap();
        let rules = Rules::new("i", "leasehold-custody");
        let ledger = SqliteLedger::open(&folder.path().join("l"), Missing::Create).unwrap();
        let backend: Arc<dyn CredentialBackend> = watched.clone();
        let metrics = Arc::new(Metrics::default());
        let ledger: Arc<dyn Ledger> = Arc::new(ledger);
        let resolver = Arc::new(Resolver::new(vec![backend], Default::default()));
        // The resolver asks the machine's own clock.
        let clock: Clock = Arc::new(custody_base::clock::now);
        let bulk_revocation =
            BulkRevocation::new(ledger.clone(), resolver.clone(), audit.clone(), clock.clone());
        let workers = Workers::new(Parts {
            capabilities: Capabilities::new(Verifier::new(rules, keys), 60, 30),
            ledger: ledger.clone(),
            audit,
            resolver,
            bulk_revocation: Arc::new(bulk_revocation),
            vault: watched.clone(),
            metrics: metrics.clone(),
            failures: Failures::new(metrics, None),
            clock,
        });
        Self { _folder: folder, routes: routes(Arc::new(workers)), watched, ledger, key }
    }

    fn token(&self, jti: &str, op: &str, service: &str) -> String {
        let now = custody_base::clock::now();
        let claims = json!({"iss": "i", "aud": "leasehold-custody", "sub": "w", "jti": jti,
            "iat": now, "exp": now + 60, "op": op, "actor": "a", "service": service});
        self.key.sign(&claims).unwrap()
    }

    async fn call(&self, what: &str, token: Option<&str>, body: impl Into<Body>) -> (u16, Value) {
        let mut request = Request::post(format!("/v1/cred/{what}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(body.into()).unwrap();
        let routes = TowerToHyperService::new(self.routes.clone());
        let response = routes.call(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// It is recorded, its backend has it back, and the audit log says that nobody got it.
    async fn nobody_has_the_value(&self) {
        let is_so = async {
            while self.watched.taken_back.lock().unwrap().is_empty()
                || !self.log().contains("lease_undelivered")
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), is_so).await.unwrap();
        let all = LeaseFilter { limit: 10, ..LeaseFilter::default() };
        let leases = self.ledger.leases(&all).await.unwrap();
        assert_eq!(leases.len(), 1, "{leases:?}");
        assert!(self.log().contains(&leases[0].lease_id));
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.watched.audit).unwrap()
    }

    fn touched(&self) -> usize {
        self.watched.touched.load(Ordering::SeqCst)
    }
}

fn body(what: &str) -> String {
    let body = match what {
        "store" => json!({"actor": "a", "service": "s",
            "credential": {"type": "bearer", "token": "t"}}),
        "fetch" => json!({"actor": "a", "service": "s"}),
        _ => json!({"actor": "a"}),
    };
    body.to_string()
}

#[tokio::test]
async fn whoever_is_refused_has_touched_nothing() {
    let scene = Scene::new().await;
    for what in ["store", "fetch", "teardown"] {
        let op = format!("cred.{what}");
        let service = if what == "teardown" { "*" } else { "s" };
        let others = ["cred.store", "cred.fetch", "cred.teardown"].into_iter();
        for other in others.filter(|other| **other != op) {
            let token = scene.token(&format!("{what}-{other}"), other, service);
            let (status, refused) = scene.call(what, Some(&token), body(what)).await;
            assert_eq!((status, &refused["code"]), (403, &json!("capability_operation")));
        }
        assert_eq!(scene.call(what, None, body(what)).await.1["code"], "capability_missing");
        // The token comes first: without a good one a body is not even read.
        assert_eq!(scene.call(what, None, "{").await.1["code"], "capability_missing");
        let token = scene.token(&format!("{what}-wrong"), &op, "another");
        let (_, refused) = scene.call(what, Some(&token), body(what)).await;
        assert_eq!(refused["code"], "capability_service");
        let token = scene.token(&format!("{what}-other"), &op, service);
        let of_another = body(what).replace("\"a\"", "\"b\"");
        let (_, refused) = scene.call(what, Some(&token), of_another).await;
        assert_eq!(refused["code"], "capability_actor");
        let (_, refused) = scene.call(what, Some(&format!("{token}x")), body(what)).await;
        assert!(refused["code"].as_str().unwrap().starts_with("capability_"), "{refused}");
    }
    assert_eq!(scene.touched(), 0);
}

#[tokio::test]
async fn whoever_is_let_in_is_in_the_audit_log_first_and_only_once() {
    let scene = Scene::new().await;
    for (at, what) in ["store", "fetch", "teardown"].into_iter().enumerate() {
        let service = if what == "teardown" { "*" } else { "s" };
        let token = scene.token(what, &format!("cred.{what}"), service);
        let (status, answer) = scene.call(what, Some(&token), body(what)).await;
        assert_eq!(status, 200, "{answer}");
        let (status, refused) = scene.call(what, Some(&token), body(what)).await;
        assert_eq!((status, &refused["code"]), (401, &json!("capability_replayed")));
        assert_eq!(scene.touched(), at + 1);
    }
}

#[tokio::test]
async fn what_is_begun_for_a_worker_that_hangs_up_is_brought_to_its_end() {
    for what in ["store", "fetch", "teardown"] {
        let scene = Scene::new().await;
        let permit = scene.watched.go.acquire().await.unwrap();
        let service = if what == "teardown" { "*" } else { "s" };
        let token = scene.token(what, &format!("cred.{what}"), service);
        {
            let call = scene.call(what, Some(&token), body(what));
            let begun = async {
                while scene.touched() == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::select! {
                answer = call => panic!("{what}: nobody may be answered yet: {answer:?}"),
                () = begun => {}
            }
        }
        drop(permit);
        let ends = async {
            while scene.watched.done.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), ends).await.expect(what);
        if what == "fetch" {
            scene.nobody_has_the_value().await;
        }
    }
}

#[test]
fn no_body_does_more_than_be_refused() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scene = runtime.block_on(Scene::new());
    let count = AtomicUsize::new(0);
    let values = "[a-z*]{0,6}";
    proptest!(ProptestConfig::with_cases(64), |(
        what in prop::sample::select(vec!["store", "fetch", "teardown"]),
        field in prop::sample::select(vec!["actor", "service", "type", "ttl", "credential"]),
        value in prop_oneof![
            values.prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!({"type": "bearer"})),
        ],
        cut in any::<prop::sample::Index>(),
        torn in any::<bool>(),
    )| {
        let service = if what == "teardown" { "*" } else { "s" };
        let number = count.fetch_add(1, Ordering::SeqCst);
        let token = scene.token(&format!("p{number}"), &format!("cred.{what}"), service);
        let mut sent: Value = serde_json::from_str(&body(what)).unwrap();
        sent[field] = value;
        let mut text = sent.to_string();
        if torn {
            text.truncate(cut.index(text.len()));
        }
        let before = scene.touched();
        let (status, answer) = runtime.block_on(scene.call(what, Some(&token), text));
        prop_assert!(matches!(status, 200 | 400 | 401 | 403 | 503), "{status} {answer}");
        prop_assert_eq!(status == 200, answer["code"].is_null(), "{}", answer);
        if status == 400 || status == 403 {
            prop_assert_eq!(scene.touched(), before);
        }
    });
}

#[test]
fn old_tokens_are_stale_at_the_second() {
    let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
    let keys = KeySet::from_jwks(&key.public_jwks()).unwrap();
    let rules = Rules::new("i", "c");
    let capabilities = Capabilities::new(Verifier::new(rules, keys), 60, 30);
    let claims = json!({"iss": "i", "aud": "c", "sub": "w", "jti": "j", "iat": NOW,
        "exp": NOW + 600, "op": "cred.fetch", "actor": "a", "service": "s"});
    let mut headers = hyper::HeaderMap::new();
    let bearer = format!("Bearer {}", key.sign(&claims).unwrap());
    headers.insert("authorization", bearer.parse().unwrap());
    let at = |now| {
        let power = custody::workers::capability::Power::Fetch;
        capabilities.verify(&headers, power, now).err().map(|refused| refused.code())
    };
    assert_eq!(at(NOW - 31), Some("capability_not_yet_valid"));
    assert_eq!(at(NOW - 30), None);
    assert_eq!(at(NOW + 59), None);
    assert_eq!(at(NOW + 60), Some("capability_stale"));
}
