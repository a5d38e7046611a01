//! An authorization server that is strict: it answers only what its RFCs allow, gives every refresh
//! token out once, and revokes the whole family when one comes back.

use super::peer::Peer;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use session::Verifier;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Semaphore;

pub const CLIENT: &str = "leasehold client/1";
/// Every character of it means something in a form or in Basic credentials.
pub const CLIENT_SECRET: &str = "s:e&c=r%e+t ü";

/// The fields of one token request, and how its client was authenticated.
pub type Form = BTreeMap<String, String>;

#[derive(Clone)]
pub struct Authority(Arc<Mutex<Inner>>);

pub struct Inner {
    url: String,
    /// Every request to the token endpoint, as it came.
    pub requests: Vec<Form>,
    /// What is answered in place of a token.
    pub trouble: Option<Trouble>,
    /// Put over the members of a good answer; `null` takes one away.
    pub change: Value,
    /// The refresh token that is good now.
    pub refresh: Option<String>,
    spent: BTreeSet<String>,
    /// How often a spent refresh token came back.
    pub reused: usize,
    /// Questions for a token, also those that are not answered yet.
    pub arrived: usize,
    /// Tokens that were revoked (RFC 7009).
    pub revoked: Vec<String>,
    pub metadata: Metadata,
    /// It takes Basic credentials as they are, without decoding them.
    pub is_plain: bool,
    /// Of clients that sign.
    pub client_keys: Option<Verifier>,
    /// Of sessions that are exchanged.
    pub session_keys: Option<Verifier>,
    issued: usize,
}

/// Which documents there are, and what they say.
pub struct Metadata {
    pub oauth: bool,
    pub openid: bool,
    pub issuer: Option<String>,
    pub token_endpoint: Option<String>,
    pub asked: usize,
}

#[derive(Clone)]
pub enum Trouble {
    Answers(StatusCode, String),
    RedirectsTo(String),
    IsSlow(Duration),
    /// It answers when a permit is given.
    IsHeld(Arc<Semaphore>),
    /// It does what it is asked, and does not answer.
    KeepsItsAnswer,
    /// It does what it is asked, and answers so much later.
    AnswersLate(Duration),
}

impl Authority {
    pub async fn start() -> (Self, Peer) {
        let metadata =
            Metadata { oauth: true, openid: true, issuer: None, token_endpoint: None, asked: 0 };
        let authority = Self(Arc::new(Mutex::new(Inner {
            url: String::new(),
            requests: Vec::new(),
            trouble: None,
            change: json!({}),
            refresh: None,
            spent: BTreeSet::new(),
            reused: 0,
            arrived: 0,
            revoked: Vec::new(),
            metadata,
            is_plain: false,
            client_keys: None,
            session_keys: None,
            issued: 0,
        })));
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", get(oauth_metadata))
            .route("/.well-known/openid-configuration", get(openid_metadata))
            .route("/token", post(token))
            .route("/revoke", post(revoke))
            .with_state(authority.clone());
        let peer = Peer::start(router).await;
        authority.inner().url = peer.url();
        (authority, peer)
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// From now on its metadata is this; `None`: the truth.
    pub fn says(&self, issuer: Option<String>, token_endpoint: Option<String>) {
        let metadata = &mut self.inner().metadata;
        (metadata.issuer, metadata.token_endpoint) = (issuer, token_endpoint);
    }

    /// How many token requests there were.
    pub fn asked(&self) -> usize {
        self.inner().requests.len()
    }

    pub fn last(&self) -> Form {
        self.inner().requests.last().unwrap().clone()
    }
}

async fn oauth_metadata(State(authority): State<Authority>) -> Response {
    let mut inner = authority.inner();
    inner.metadata.asked += 1;
    if inner.metadata.oauth { inner.document() } else { StatusCode::NOT_FOUND.into_response() }
}

async fn openid_metadata(State(authority): State<Authority>) -> Response {
    let mut inner = authority.inner();
    inner.metadata.asked += 1;
    if inner.metadata.openid { inner.document() } else { StatusCode::NOT_FOUND.into_response() }
}

async fn token(State(authority): State<Authority>, headers: HeaderMap, body: Bytes) -> Response {
    let form = match read(&headers, &body) {
        Ok(form) => form,
        Err(what) => return refuse(StatusCode::BAD_REQUEST, "invalid_request", what),
    };
    authority.inner().arrived += 1;
    let trouble = authority.inner().trouble.clone();
    match trouble {
        Some(Trouble::IsSlow(delay)) => tokio::time::sleep(delay).await,
        Some(Trouble::IsHeld(gate)) => gate.acquire().await.unwrap().forget(),
        Some(Trouble::Answers(status, body)) => {
            authority.inner().requests.push(form);
            return (status, body).into_response();
        }
        Some(Trouble::RedirectsTo(location)) => {
            return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)])
                .into_response();
        }
        Some(Trouble::KeepsItsAnswer) => {
            drop(authority.inner().judge(&headers, &form));
            std::future::pending::<()>().await;
        }
        Some(Trouble::AnswersLate(delay)) => {
            let answer = authority.inner().judge(&headers, &form);
            tokio::time::sleep(delay).await;
            return answer;
        }
        None => {}
    }
    authority.inner().judge(&headers, &form)
}

async fn revoke(State(authority): State<Authority>, headers: HeaderMap, body: Bytes) -> Response {
    let form = read(&headers, &body).unwrap();
    let mut inner = authority.inner();
    if let Err(what) = inner.authenticate(&headers, &form) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_client", what);
    }
    assert_eq!(form["token_type_hint"], "access_token");
    inner.revoked.push(form["token"].clone());
    StatusCode::OK.into_response()
}

/// RFC 6749 section 3.2: a form, no parameter twice but those that may be (RFC 8707).
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Form, &'static str> {
    if headers.get(header::CONTENT_TYPE).is_none_or(|t| t != "application/x-www-form-urlencoded") {
        return Err("content-type");
    }
    if headers.get(header::ACCEPT).is_none_or(|accept| accept != "application/json") {
        return Err("accept");
    }
    let mut form = Form::new();
    for (name, value) in form_urlencoded::parse(body) {
        let earlier = form.entry(name.into_owned()).or_default();
        if !earlier.is_empty() {
            earlier.push(' ');
        }
        earlier.push_str(&value);
    }
    Ok(form)
}

fn refuse(status: StatusCode, code: &str, what: &str) -> Response {
    let body = json!({"error": code, "error_description": format!("canary: {what}")});
    (status, Json(body)).into_response()
}

fn decoded(text: &str) -> String {
    let whole = format!("x={text}");
    form_urlencoded::parse(whole.as_bytes()).next().unwrap().1.into_owned()
}

impl Inner {
    fn document(&self) -> Response {
        let Metadata { issuer, token_endpoint, .. } = &self.metadata;
        let issuer = issuer.clone().unwrap_or_else(|| self.url.clone());
        let token = token_endpoint.clone().unwrap_or_else(|| format!("{}/token", self.url));
        let revocation = format!("{}/revoke", self.url);
        let places = json!({"issuer": issuer, "token_endpoint": token,
            "revocation_endpoint": revocation});
        Json(places).into_response()
    }

    fn judge(&mut self, headers: &HeaderMap, form: &Form) -> Response {
        self.requests.push(form.clone());
        if let Err(what) = self.authenticate(headers, form) {
            return refuse(StatusCode::UNAUTHORIZED, "invalid_client", what);
        }
        self.grant(form)
    }

    /// One way to authenticate and no more (RFC 6749 section 2.3).
    fn authenticate(&self, headers: &HeaderMap, form: &Form) -> Result<(), &'static str> {
        let basic = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
        let (id, secret) = (form.get("client_id"), form.get("client_secret"));
        match (basic, id, secret, form.get("client_assertion")) {
            (Some(basic), None, None, None) => {
                let pair = STANDARD.decode(basic.strip_prefix("Basic ").ok_or("scheme")?);
                let pair = String::from_utf8(pair.map_err(|_| "base64")?).unwrap();
                let (id, secret) = pair.split_once(':').ok_or("pair")?;
                let read = |text: &str| if self.is_plain { text.to_owned() } else { decoded(text) };
                let fits = read(id) == CLIENT && read(secret) == CLIENT_SECRET;
                if fits { Ok(()) } else { Err("basic") }
            }
            (None, Some(id), Some(secret), None) => {
                if id == CLIENT && secret == CLIENT_SECRET {
                    Ok(())
                } else {
                    Err("post")
                }
            }
            (None, Some(id), None, Some(assertion)) => {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                if form.get("client_assertion_type").is_none_or(|given| given != kind) {
                    return Err("client_assertion_type");
                }
                let keys = self.client_keys.as_ref().ok_or("no keys")?;
                let client = keys.verify(assertion.as_bytes(), super::now());
                let client = client.map_err(|_| "assertion")?;
                let same = client.subject() == Some(CLIENT) && id == CLIENT;
                if same && client.issuer() == CLIENT { Ok(()) } else { Err("assertion") }
            }
            (None, Some(id), None, None) if id == "public" => Ok(()),
            _ => Err("none or several"),
        }
    }

    fn grant(&mut self, form: &Form) -> Response {
        let text = |name: &str| form.get(name).map_or("", String::as_str);
        let whose = match text("grant_type") {
            "client_credentials" => "client".to_owned(),
            "refresh_token" => {
                let given = text("refresh_token");
                if self.spent.contains(given) {
                    self.reused += 1;
                    self.refresh = None;
                }
                if self.refresh.as_deref() != Some(given) {
                    return refuse(StatusCode::BAD_REQUEST, "invalid_grant", "refresh token");
                }
                "user".to_owned()
            }
            "urn:ietf:params:oauth:grant-type:token-exchange" => {
                if text("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt" {
                    return refuse(
                        StatusCode::BAD_REQUEST,
                        "invalid_request",
                        "subject_token_type",
                    );
                }
                let keys = self.session_keys.as_ref().unwrap();
                match keys.verify(text("subject_token").as_bytes(), super::now()) {
                    Ok(session) => session.jwt_id().unwrap().to_owned(),
                    Err(_) => return refuse(StatusCode::BAD_REQUEST, "invalid_grant", "subject"),
                }
            }
            _ => return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", ""),
        };
        self.issued += 1;
        let mut answer = json!({
            "access_token": format!("access-{whose}-{}", self.issued),
            "token_type": "Bearer",
            "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        if text("grant_type") == "refresh_token" {
            let next = format!("refresh-{}", self.issued);
            answer["refresh_token"] = json!(next);
            self.spent.extend(self.refresh.replace(next));
        }
        for (name, value) in self.change.as_object().unwrap() {
            match value {
                Value::Null => drop(answer.as_object_mut().unwrap().remove(name)),
                value => answer[name] = value.clone(),
            }
        }
        Json(answer).into_response()
    }
}
