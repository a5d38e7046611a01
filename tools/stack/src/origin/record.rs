//! What the origin has seen. The record holds credentials as they came, so that a test can compare
//! them byte for byte; it stays inside this process, and nothing in it prints a value.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::request::Parts;
use axum::http::{HeaderMap, Version, header};

use super::credential::fingerprint;

/// One request as the origin got it.
#[derive(Clone)]
pub struct Seen {
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// `:authority`, or Host on HTTP/1.1.
    pub host: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    headers: HeaderMap,
    /// Of those who have the same request in hand: it comes when the body does.
    body: Arc<Mutex<Vec<u8>>>,
}

/// Every request since the start, oldest first.
#[derive(Default)]
pub struct Record {
    seen: Mutex<Vec<Seen>>,
    /// Values of `Authorization`; any if absent.
    accepted: Mutex<Option<Vec<Vec<u8>>>>,
}

// === impl Seen ===

impl Seen {
    pub(super) fn new(parts: &Parts) -> Self {
        let host = match parts.uri.authority() {
            Some(authority) => authority.as_str().to_owned(),
            None => text(parts.headers.get(header::HOST).map(|value| value.as_bytes())),
        };
        Self {
            method: parts.method.to_string(),
            path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            host,
            protocol: protocol(parts.version),
            headers: parts.headers.clone(),
            body: Arc::default(),
        }
    }

    pub(super) fn keep(&self, body: Vec<u8>) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = body;
    }

    /// The first 64 KiB of the body, where the endpoint is the echo and has answered.
    pub fn body(&self) -> Vec<u8> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names of the headers, lower-case, in order, repeated as often as they came.
    pub fn header_names(&self) -> Vec<String> {
        self.headers.iter().map(|(name, _)| name.as_str().to_owned()).collect()
    }

    /// Every value that came under `name`.
    pub fn values(&self, name: &str) -> Vec<Vec<u8>> {
        self.headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect()
    }

    /// The Authorization header exactly as it came; `None` if none did or if more than one did.
    pub fn authorization(&self) -> Option<Vec<u8>> {
        let [value] = self.values(header::AUTHORIZATION.as_str()).try_into().ok()?;
        Some(value)
    }

    /// The fingerprint of the first Authorization header.
    pub fn credential_fingerprint(&self) -> Option<String> {
        self.headers.get(header::AUTHORIZATION).map(|value| fingerprint(value.as_bytes()))
    }

    /// Every header value with its name, for a scan of what reached the origin.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("host", &self.host)
            .field("protocol", &self.protocol)
            .field("credential", &self.credential_fingerprint())
            .field("headers", &self.header_names())
            .finish()
    }
}

fn protocol(version: Version) -> String {
    format!("{version:?}")
}

fn text(value: Option<&[u8]>) -> String {
    value.map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

// === impl Record ===

impl Record {
    pub(super) fn add(&self, seen: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    /// Everything so far, oldest first.
    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many requests there were for `path` (without query).
    pub fn count_of(&self, path: &str) -> usize {
        let without_query = |seen: &&Seen| seen.path.split('?').next() == Some(path);
        self.all().iter().filter(without_query).count()
    }

    /// The latest request.
    pub fn last(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// From now on any other credential is answered 401.
    pub fn accept_only(&self, authorizations: &[&str]) {
        let accepted = authorizations.iter().map(|value| value.as_bytes().to_vec()).collect();
        *self.accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepted);
    }

    pub(super) fn accepts(&self, seen: &Seen) -> bool {
        match &*self.accepted.lock().unwrap_or_else(PoisonError::into_inner) {
            None => true,
            Some(accepted) => {
                seen.authorization().is_some_and(|authorization| accepted.contains(&authorization))
            }
        }
    }
}
