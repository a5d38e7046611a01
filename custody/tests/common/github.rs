//! GitHub, as far as custody asks it: real TLS, and it checks what GitHub checks.

use super::now;
use super::peer::Peer;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One app is known here, 123, with one installation, 42.
#[derive(Clone)]
pub struct GitHub(Arc<Mutex<Inner>>);

struct Inner {
    public_key: Vec<u8>,
    /// The bodies of all requests.
    requests: Vec<Value>,
    /// Put over the members of a good answer.
    change: Value,
    refusal: Option<StatusCode>,
    /// Tokens that were revoked.
    revoked: Vec<String>,
}

impl GitHub {
    /// With the app's private key (PEM). Its API is below `/api/v3`.
    pub async fn start() -> (Self, Peer, String) {
        let key = SigningKey::generate(Algorithm::Rs256, None).unwrap();
        let pem = key.to_pem().unwrap();
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let public_key = RsaKeyPair::from_pkcs8(der.secret_der()).unwrap();
        let public_key = public_key.public_key().as_ref().to_vec();
        let (requests, revoked, refusal) = Default::default();
        let inner = Inner { public_key, requests, change: json!({}), refusal, revoked };
        let github = Self(Arc::new(Mutex::new(inner)));
        let path = "/api/v3/app/installations/{installation}/access_tokens";
        let router = Router::new()
            .route(path, post(access_tokens))
            .route("/api/v3/installation/token", delete(revoke))
            .with_state(github.clone());
        (github, Peer::start(router).await, pem.to_string())
    }

    pub fn requests(&self) -> Vec<Value> {
        self.0.lock().unwrap().requests.clone()
    }

    pub fn revoked(&self) -> Vec<String> {
        self.0.lock().unwrap().revoked.clone()
    }

    /// From now on it answers with this status; `None`: as it should.
    pub fn refuses(&self, status: Option<u16>) {
        let status = status.map(|status| StatusCode::from_u16(status).unwrap());
        self.0.lock().unwrap().refusal = status;
    }

    /// From now on this is put over the members of its answers.
    pub fn changes(&self, change: Value) {
        self.0.lock().unwrap().change = change;
    }
}

async fn revoke(State(github): State<GitHub>, headers: HeaderMap) -> StatusCode {
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    github.0.lock().unwrap().revoked.push(token.to_owned());
    StatusCode::NO_CONTENT
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
