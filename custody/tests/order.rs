//! In process: the order of things, and what happens when a part of custody hangs or breaks.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use axum::body::Body;
use custody::audit::{AuditLog, recovery};
use custody::backend::resolver::Resolver;
use custody::backend::{Asked, BackendFault, CredentialBackend};
use custody::config::Config;
use custody::credential::{Credential, Resolved};
use custody::http::{Service, edge_routes};
use custody::issue::Issuer;
use custody::keys::SessionKeys;
use custody::metrics::Metrics;
use hyper::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use lease::Secret;
use serde_json::json;
use session::Algorithm;
use session::mint::SigningKey;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A backend that looks into the audit log before it answers.
struct Witness {
    audit: PathBuf,
    answer: fn() -> Result<Credential, BackendFault>,
}

#[async_trait::async_trait]
impl CredentialBackend for Witness {
    fn name(&self) -> &str {
        "witness"
    }

    fn is_capable(&self, _: &Asked<'_>) -> bool {
        true
    }

    async fn revoke(&self, _: &str) {}

    async fn resolve(&self, asked: &Asked<'_>) -> Result<Resolved, BackendFault> {
        let handle = asked.handle;
        let log = std::fs::read_to_string(&self.audit).unwrap();
        let last = log.lines().last().unwrap_or_default();
        let record: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!((&record["event"], &record["outcome"]), (&json!("lease"), &json!("allow")));
        assert_eq!(record["handle"], handle.as_str());
        let (target, scope) = (None, Vec::new());
        (self.answer)().map(|credential| Resolved {
            credential,
            target,
            scope,
            expires_at: None,
            revocation: None,
        })
    }
}

struct Fixture {
    folder: tempfile::TempDir,
    key: SigningKey,
}

impl Fixture {
    fn new() -> Self {
        let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), key }
    }

    async fn routes(&self, answer: fn() -> Result<Credential, BackendFault>) -> axum::Router {
        let text = format!(
            "edge: {{listen: '127.0.0.1:0', plaintext: loopback-only}}
health: {{listen: '127.0.0.1:0'}}
session: {{issuer: i, audience: a, keys: {{jwks: {}}}}}
store: {{path: db, root_key: key}}
audit: {{path: audit.jsonl}}
grants: [{{handle: h, destinations: [a.example], claims: {{team: [build]}}}}]",
            self.key.public_jwks()
        );
        let config = Config::parse(&text, self.folder.path()).unwrap();
        let audit_path: &Path = &config.storage.audit;
        let opened = recovery::open(audit_path).unwrap();
        let (audit, _writing) = AuditLog::start(opened).await.unwrap();
        let backend = Arc::new(Witness { audit: audit_path.to_owned(), answer });
        let resolver = Resolver::new(vec![backend], BTreeMap::new());
        let metrics = Arc::new(Metrics::default());
        let keys = SessionKeys::open(config.session, &metrics).await.unwrap();
        let issuer =
            Issuer::new(keys, config.grants, audit.clone(), resolver, Arc::clone(&metrics));
        edge_routes(Service { issuer: Arc::new(issuer), audit, metrics })
    }

    fn request(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({"iss": "i", "aud": "a", "sub": "s", "jti": "j", "team": "build",
            "iat": now, "exp": now + 600});
        json!({"session": self.key.sign(&claims).unwrap(), "handle": "h", "method": "GET",
            "destination": "a.example:443", "path": "/", "binding": "session"})
        .to_string()
    }
}

async fn call(routes: axum::Router, body: Body) -> (u16, String) {
    let request = Request::post("/v1/leases").body(body).unwrap();
    let response = TowerToHyperService::new(routes).call(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn credential(secret: &str) -> Credential {
    Credential::Bearer { token: Secret::new(secret) }
}

#[tokio::test]
async fn the_record_is_durable_before_the_backend_is_asked() {
    let fixture = Fixture::new();
    let routes = fixture.routes(|| Ok(credential("s"))).await;
    let (status, body) = call(routes, fixture.request().into()).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("Bearer s"));
}

#[tokio::test]
async fn a_backend_that_fails_panics_or_gives_garbage_gives_no_lease() {
    for answer in [
        || Err(BackendFault::Down("secret-canary".into())),
        || panic!("secret-canary"),
        || Ok(credential("secret-canary\ninjected: header")),
        || Ok(credential("")),
    ] as [fn() -> Result<Credential, BackendFault>; 4]
    {
        let fixture = Fixture::new();
        let routes = fixture.routes(answer).await;
        let (status, body) = call(routes, fixture.request().into()).await;
        assert_eq!((status, body.as_str()), (503, "{\"code\":\"unavailable\"}"));
        let log = std::fs::read_to_string(fixture.folder.path().join("audit.jsonl")).unwrap();
        assert!(log.lines().last().unwrap().contains("\"event\":\"lease_failed\""));
        assert!(!log.contains("canary"));
    }
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
    let fixture = Fixture::new();
    let routes = fixture.routes(|| Ok(credential("s"))).await;
    // From here the clock runs only when everything waits.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let (status, body) = call(routes, Body::new(Endless)).await;
    assert_eq!((status, body.as_str()), (503, "{\"code\":\"unavailable\"}"));
    assert_eq!(begun.elapsed().as_secs(), custody::http::TIME_LIMIT.as_secs());
}
