//! Custody's edge routes in this process: a real ledger and audit log, sources that do
//! what the test says, and a clock it sets.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod faulty;
pub mod scripted;
#[path = "../stores/mod.rs"]
pub mod stores;

use axum::Router;
use axum::body::Body;
use custody::config::Config;
use custody::failures::Failures;
use custody::feed::EdgeFeed;
use custody::grants::{Grants, GrantsFile, LiveGrants, WrongGrants};
use custody::http::{ConcurrencyLimits, Service, edge_routes};
use custody::keys::SessionKeys;
use custody::leasing::{Leasing, Parts};
use custody::metrics::Metrics;
use custody_audit::{AuditLog, recovery};
use custody_backends::resolver::{Resolver, Sources};
use custody_base::clock::Clock;
use custody_ledger::{Ledger, Revocation, Target};
use faulty::Faulty;
use hyper::service::Service as _;
use hyper::{HeaderMap, Request};
use hyper_util::service::TowerToHyperService;
use lease::{Authority, fingerprint};
use scripted::{Place, Scripted};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stores::{Database, Store};

pub const START: u64 = 1_800_000_000;

pub struct Inside {
    pub folder: tempfile::TempDir,
    pub key: SigningKey,
    pub now: Arc<AtomicU64>,
    pub sources: Arc<Scripted>,
    pub ledger: Arc<Faulty>,
    pub grants: Arc<LiveGrants>,
    pub file: GrantsFile,
    pub feed: Arc<EdgeFeed>,
    pub routes: Router,
    pub audit: AuditLog,
    database: Option<Database>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn retry_after(&self) -> Option<u64> {
        self.headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap())
    }
}

pub const GRANTS: &str = "
  - {handle: h, destinations: [a.example], claims: {team: [build]}, binding: any, purpose: test}
  - {handle: g, destinations: [a.example], claims: {team: [build]}}
  - {handle: once, destinations: [a.example], claims: {team: [build]}, binding: single_use}
  - {handle: of-ada, actor: ada, destinations: [a.example], claims: {team: [build]}}";

impl Inside {
    pub async fn new(store: Store) -> Self {
        Self::with(store, "", "", 1).await
    }

    /// With more fields of `session`, more sections, and so many sources for each handle.
    pub async fn with(store: Store, session: &str, sections: &str, places_of_each: usize) -> Self {
        let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
        Self::keyed(key, store, (session, sections), places_of_each).await
    }

    /// For several issuers: `issuers: [...]`, of which `i` has this key.
    pub async fn of_issuers(key: SigningKey, store: Store, issuers: &str) -> Self {
        Self::keyed(key, store, (issuers, ""), 1).await
    }

    async fn keyed(
        key: SigningKey,
        store: Store,
        (session, sections): (&str, &str),
        places_of_each: usize,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = store.database();
        let real = stores::ledger(database.as_ref(), &folder.path().join("ledger")).await;
        let made = Self::over(key, folder, real, (session, sections), places_of_each).await;
        Self { database, ..made }
    }

    /// Over a ledger that it may share with others, for sessions of this key.
    pub async fn over(
        key: SigningKey,
        folder: tempfile::TempDir,
        ledger: Arc<dyn Ledger>,
        sections: (&str, &str),
        places_of_each: usize,
    ) -> Self {
        let resolver = |sources: &Arc<Scripted>| resolver(sources, places_of_each);
        Self::from(key, folder, ledger, sections, resolver).await
    }

    /// With sources of one's own.
    pub async fn from(
        key: SigningKey,
        folder: tempfile::TempDir,
        ledger: Arc<dyn Ledger>,
        (session, sections): (&str, &str),
        resolver: impl FnOnce(&Arc<Scripted>) -> Resolver,
    ) -> Self {
        let path = folder.path().join("custody.yaml");
        std::fs::write(&path, config_of(&key, session, sections)).unwrap();
        let config = Config::load(&path).unwrap_or_else(|faults| panic!("{faults}"));
        let opened = recovery::open(&config.storage.audit).unwrap();
        let (audit, _writing) = AuditLog::start(opened).await.unwrap();
        let ledger = Arc::new(Faulty::new(ledger));
        let sources = Arc::new(Scripted::default());
        let grants = Arc::new(LiveGrants::new(config.grants));
        let now = Arc::new(AtomicU64::new(START));
        let told = Arc::clone(&now);
        let clock: Clock = Arc::new(move || told.load(Ordering::SeqCst));
        let metrics = Arc::new(Metrics::default());
        let session_limits = config.session.limits;
        let issuers = config.session.issuers.len();
        let feed = EdgeFeed::new(ledger.clone(), grants.clone(), session_limits, clock.clone());
        let feed = Arc::new(feed);
        let concurrency_limits = ConcurrencyLimits::new(&config.limits);
        let leasing = Leasing::new(Parts {
            keys: SessionKeys::open(config.session, &metrics).await.unwrap(),
            session_limits,
            limits: config.limits,
            grants: grants.clone(),
            ledger: ledger.clone(),
            resolver: Arc::new(resolver(&sources).by(clock.clone())),
            failures: Failures::new(metrics.clone(), None),
            audit: audit.clone(),
            metrics: metrics.clone(),
            clock,
        });
        let leasing = Arc::new(leasing);
        let service = Service {
            leasing,
            feed: feed.clone(),
            concurrency_limits,
            ledger: ledger.clone(),
            audit: audit.clone(),
            metrics,
        };
        let load = move |file: &Path| Config::load_grants(file, issuers).map_err(WrongGrants::from);
        let file = GrantsFile::new(path, Arc::new(load), grants.clone(), audit.clone());
        let routes = edge_routes(service);
        Self {
            folder,
            key,
            now,
            sources,
            ledger,
            grants,
            file,
            feed,
            routes,
            audit,
            database: None,
        }
    }

    /// The same ledger, opened once more.
    pub async fn replica(&self) -> Arc<dyn Ledger> {
        stores::ledger(self.database.as_ref(), &self.folder.path().join("ledger")).await
    }

    pub fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("custody.yaml")
    }

    /// Replaces a text in the configuration file.
    pub fn edit(&self, from: &str, to: &str) {
        let before = std::fs::read_to_string(self.config_path()).unwrap();
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{from}");
        std::fs::write(self.config_path(), after).unwrap();
    }

    pub fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn last_record(&self) -> Value {
        self.records().pop().unwrap()
    }

    pub fn token(&self, changes: &Value) -> String {
        let now = self.now.load(Ordering::SeqCst);
        let mut claims = json!({"iss": "i", "aud": "a", "sub": "s", "jti": "j", "team": "build",
            "iat": now, "exp": now + 3600});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.key.sign(&claims).unwrap()
    }

    /// A session-bound request for `h`.
    pub fn request(&self) -> Value {
        json!({"session": self.token(&json!({})), "handle": "h", "method": "GET",
            "destination": "a.example:443", "path": "/", "binding": "session"})
    }

    /// A single-use request for `h`, for the operation of this idempotency key.
    pub fn once(&self, key: &str) -> Value {
        let destination = Authority::parse(b"a.example", 443).unwrap();
        let mut request = self.request();
        request["method"] = "POST".into();
        request["binding"] = "single_use".into();
        request["idempotency_key"] = key.into();
        request["fingerprint"] = fingerprint("POST", &destination, "/", Some(key), None).into();
        request
    }

    pub async fn lease(&self, request: &Value) -> Answer {
        self.post("/v1/leases", request.to_string()).await
    }

    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        call(self.routes.clone(), Request::post(path).body(body.into()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        call(self.routes.clone(), Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn revoke(&self, target: Target) {
        let revocation = Revocation { target, at: START, until: None, by: "test".into() };
        self.ledger.real.revoke(&revocation).await.unwrap();
    }

    pub async fn restore(&self, target: &Target) -> bool {
        let now = self.now.load(Ordering::SeqCst);
        self.ledger.real.restore(target, now).await.unwrap()
    }

    pub fn replace(&self, grants: Grants) {
        self.grants.replace(grants);
    }
}

fn config_of(key: &SigningKey, session: &str, sections: &str) -> String {
    let (session, grants) = match session.starts_with("issuers:") {
        // With several, a grant says whose claims it means.
        true => (session.to_owned(), GRANTS.replace("claims: {", "claims: {iss: [i, k], ")),
        false => {
            let keys = key.public_jwks();
            let session = format!("issuer: i, audience: a, keys: {{jwks: {keys}}} {session}");
            (session, GRANTS.to_owned())
        }
    };
    format!(
        "edge: {{listen: '127.0.0.1:0', plaintext: loopback-only}}
health: {{listen: '127.0.0.1:0'}}
session: {{{session}}}
store: {{path: db, root_key: key}}
audit: {{path: audit.jsonl}}
{sections}
grants: {grants}\n"
    )
}

/// One backend for every handle, or a primary and a backup for those of [`GRANTS`].
fn resolver(script: &Arc<Scripted>, backends: usize) -> Resolver {
    let primary = Arc::new(Place { number: 0, script: Arc::clone(script) });
    let backup = Arc::new(Place { number: 1, script: Arc::clone(script) });
    let mut sources = BTreeMap::new();
    if backends > 1 {
        for handle in ["h", "g", "once", "of-ada"] {
            let pair = Sources { primary: primary.clone(), backup: Some(backup.clone()) };
            sources.insert(handle.parse().unwrap(), pair);
        }
    }
    Resolver::new(vec![primary], sources)
}

pub async fn call(routes: Router, request: Request<Body>) -> Answer {
    let response = TowerToHyperService::new(routes).call(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: head.status.as_u16(), headers: head.headers, body }
}
