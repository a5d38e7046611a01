//! The GitHub App backend against a server that checks what GitHub checks: real TLS, the real sealed
//! store.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::now;
use common::peer::Peer;
use common::shelf::{Shelf, actor, handle, shelf};
use common::stores::Store;
use custody::backend::github_app::{GitHubApp, InstallationSource};
use custody::backend::sealed::SealedBackend;
use custody::backend::{Asked, BackendFault, CredentialBackend, LongLived, Narrow};
use custody::credential::{Credential, Resolved};
use custody::outbound::{Endpoint, Reach};
use futures_util::future::join_all;
use lease::Secret;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// GitHub, as far as it is asked here.
#[derive(Clone)]
struct GitHub(Arc<Mutex<Inner>>);

struct Inner {
    public_key: Vec<u8>,
    /// The bodies of all requests.
    requests: Vec<Value>,
    /// Put over the members of a good answer.
    change: Value,
    refusal: Option<StatusCode>,
}

struct House {
    github: GitHub,
    source: InstallationSource,
    secrets: Arc<dyn LongLived>,
    _peer: Peer,
    _shelf: Shelf,
}

async fn access_tokens(
    State(github): State<GitHub>,
    Path(installation): Path<u64>,
    headers: HeaderMap,
    body: String,
) -> Response {
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut inner = github.0.lock().unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    inner.requests.push(body.clone());
    if let Some(status) = inner.refusal {
        return (status, r#"{"message": "canary"}"#).into_response();
    }
    for (name, wanted) in
        [("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")]
    {
        assert_eq!(headers[name], wanted);
    }
    assert!(headers["user-agent"].to_str().unwrap().starts_with("leasehold-custody/"));
    if !is_our_app(&inner.public_key, &headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if installation != 42 {
        return StatusCode::NOT_FOUND.into_response();
    }
    let at = std::time::SystemTime::now() + Duration::from_secs(3600);
    let mut answer = json!({
        "token": format!("ghs_{}", inner.requests.len()),
        "expires_at": humantime::format_rfc3339_seconds(at).to_string(),
        "permissions": {"contents": "write", "issues": "write", "metadata": "read"},
        "repository_selection": "all",
    });
    if let Some(permissions) = body.get("permissions") {
        answer["permissions"] = permissions.clone();
        answer["permissions"]["metadata"] = json!("read");
    }
    if let Some(names) = body.get("repositories") {
        answer["repository_selection"] = json!("selected");
        let names = names.as_array().unwrap();
        answer["repositories"] = names.iter().map(|name| json!({"name": name})).collect();
    }
    for (name, value) in inner.change.as_object().unwrap() {
        answer[name] = value.clone();
    }
    (StatusCode::CREATED, Json(answer)).into_response()
}

/// "Generating a JSON Web Token (JWT) for a GitHub App": RS256, `exp` at most ten minutes ahead.
fn is_our_app(public_key: &[u8], headers: &HeaderMap) -> bool {
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key);
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let decoded = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (header, claims) = signed.split_once('.').unwrap();
    let (header, claims) = (decoded(header), decoded(claims));
    let (iat, exp) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
    header["alg"] == "RS256"
        && claims["iss"] == "123"
        && iat <= now()
        && exp > now()
        && exp <= now() + 600
        && key.verify(signed.as_bytes(), &signature).is_ok()
}

impl House {
    async fn new(installation: u64) -> Self {
        let key = SigningKey::generate(Algorithm::Rs256, None).unwrap();
        let pem = key.to_pem().unwrap();
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let public_key = RsaKeyPair::from_pkcs8(der.secret_der()).unwrap();
        let public_key = public_key.public_key().as_ref().to_vec();
        let inner = Inner { public_key, requests: Vec::new(), change: json!({}), refusal: None };
        let github = GitHub(Arc::new(Mutex::new(inner)));
        let path = "/api/v3/app/installations/{installation}/access_tokens";
        let router = Router::new().route(path, post(access_tokens)).with_state(github.clone());
        let peer = Peer::start(router).await;
        // What is under test here asks the store for one value, whichever it is.
        let shelf = shelf(Store::Sqlite, &[("gh-app-key", pem.as_str())]).await;
        let secrets: Arc<dyn LongLived> = Arc::new(SealedBackend(shelf.store.clone()));
        let reach = Reach { ca: Some(peer.ca()), ..Reach::default() };
        let api = Endpoint::parse(&format!("{}/api/v3", peer.url())).unwrap();
        let private_key = (actor(), handle("gh-app-key"));
        let outbound = reach.client().unwrap();
        let app =
            GitHubApp::new("gh".into(), outbound, api, "123".into(), private_key, secrets.clone());
        let source = InstallationSource::new(app, installation);
        Self { github, source, secrets, _peer: peer, _shelf: shelf }
    }

    async fn ask(&self, narrow: &Narrow) -> Result<Resolved, BackendFault> {
        let asked = Asked {
            actor: &actor(),
            handle: &handle("github-ci"),
            kind: None,
            destination: None,
            session: None,
            narrow,
            until: now() + 300,
        };
        assert!(self.source.is_capable(&asked));
        self.source.resolve(&asked).await
    }

    fn requests(&self) -> Vec<Value> {
        self.github.0.lock().unwrap().requests.clone()
    }
}

fn token(resolved: &Resolved) -> String {
    let Credential::Bearer { token } = &resolved.credential else { panic!("not a bearer token") };
    String::from_utf8(token.expose().to_vec()).unwrap()
}

fn narrow(repositories: &[&str], level: &str) -> Narrow {
    Narrow {
        repositories: repositories.iter().map(|name| (*name).to_owned()).collect(),
        permissions: [("contents".to_owned(), level.to_owned())].into(),
        ..Narrow::default()
    }
}

#[tokio::test]
async fn a_token_is_narrowed_and_kept_by_its_narrowing() {
    let house = House::new(42).await;
    let one = narrow(&["x", "y"], "read");
    let all = join_all((0..100).map(|_| house.ask(&one))).await;
    assert!(all.iter().all(|asked| token(asked.as_ref().ok().unwrap()) == "ghs_1"));
    let body = json!({"repositories": ["x", "y"], "permissions": {"contents": "read"}});
    assert_eq!(house.requests(), [body]);
    let resolved = house.ask(&narrow(&["y", "x"], "read")).await.ok().unwrap();
    assert_eq!(token(&resolved), "ghs_1", "the order of a grant does not count");
    assert_eq!(resolved.scope, ["contents:read", "metadata:read"]);
    let left = resolved.expires_at.unwrap() - now();
    assert!((3590..=3600).contains(&left), "{left}");
    assert_eq!(resolved.revocation, None);
    for other in [narrow(&["x"], "read"), narrow(&["x", "y"], "write"), Narrow::default()] {
        assert!(house.ask(&other).await.is_ok());
    }
    assert_eq!(house.requests().len(), 4);
    assert_eq!(house.requests()[3], json!({}));
}

#[tokio::test]
async fn more_than_was_asked_for_is_not_used() {
    for change in [
        json!({"permissions": {"contents": "write"}}),
        json!({"permissions": {"contents": "read", "issues": "read"}}),
        json!({"repository_selection": "all"}),
        json!({"repositories": [{"name": "x"}, {"name": "z"}]}),
        json!({"expires_at": "2020-01-01T00:00:00Z"}),
    ] {
        let house = House::new(42).await;
        house.github.0.lock().unwrap().change = change.clone();
        let fault = house.ask(&narrow(&["x"], "read")).await.err().unwrap();
        assert_eq!(fault.code(), "credential_unfit", "{change}: {fault}");
    }
}

#[tokio::test]
async fn what_github_refuses_is_told_by_its_status_alone() {
    let house = House::new(43).await;
    let fault = house.ask(&Narrow::default()).await.err().unwrap();
    assert!(fault.to_string().contains("is this an installation of the app?"), "{fault}");
    for (status, code) in [(401, "backend_denied"), (422, "backend_denied"), (502, "backend_down")]
    {
        let house = House::new(42).await;
        house.github.0.lock().unwrap().refusal = StatusCode::from_u16(status).ok();
        let fault = house.ask(&Narrow::default()).await.err().unwrap();
        assert_eq!(fault.code(), code, "{fault}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
}

#[tokio::test]
async fn without_the_right_key_github_is_not_asked_or_says_no() {
    let house = House::new(42).await;
    let key = handle("gh-app-key");
    house.secrets.replace(&actor(), &key, &Secret::new("canary, no key")).await.unwrap();
    let fault = house.ask(&Narrow::default()).await.err().unwrap();
    assert_eq!(fault.code(), "credential_unreadable");
    assert!(!fault.to_string().contains("canary") && house.requests().is_empty());
    let other = SigningKey::generate(Algorithm::Rs256, None).unwrap().to_pem().unwrap();
    house.secrets.replace(&actor(), &key, &Secret::new(other.as_bytes())).await.unwrap();
    let fault = house.ask(&narrow(&["x"], "read")).await.err().unwrap();
    assert_eq!(fault.code(), "backend_denied");
    let scoped = Narrow { scopes: vec!["repo".into()], ..Narrow::default() };
    assert!(matches!(house.ask(&scoped).await, Err(BackendFault::Denied(_))));
    assert_eq!(house.requests().len(), 1);
}
