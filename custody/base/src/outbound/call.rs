//! One call: where to, with what.

use super::{CallFault, Endpoint, json};
use crate::credential;
use bytes::Bytes;
use form_urlencoded::byte_serialize;
use lease::Secret;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Body, Method, Request};
use serde::Serialize;
use std::time::Duration;
use zeroize::Zeroizing;

/// A call to make with [`super::Outbound::send`]. Bodies and secret headers are wiped when it was
/// made.
pub struct Call(Request);

// === impl Call ===

impl Call {
    /// A call that wants JSON back.
    pub fn new(method: Method, endpoint: &Endpoint) -> Self {
        let mut request = Request::new(method, endpoint.url());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        Self(request)
    }

    pub fn get(endpoint: &Endpoint) -> Self {
        Self::new(Method::GET, endpoint)
    }

    pub fn post(endpoint: &Endpoint) -> Self {
        Self::new(Method::POST, endpoint)
    }

    /// In place of the client's own limit for the whole exchange.
    #[must_use]
    pub fn within(mut self, total: Duration) -> Self {
        *self.0.timeout_mut() = Some(total);
        self
    }

    /// A header without a secret; one of the same name is replaced.
    ///
    /// # Errors
    /// The name or the value cannot be sent.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, CallFault> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| CallFault::Unsendable("a header's value has control characters"))?;
        self.0.headers_mut().insert(named(name)?, value);
        Ok(self)
    }

    /// A header that is one.
    ///
    /// # Errors
    /// The name or the value cannot be sent.
    pub fn secret_header(self, name: &str, value: &Secret) -> Result<Self, CallFault> {
        self.sensitive(named(name)?, value)
    }

    /// `authorization: Bearer TOKEN` (RFC 6750 section 2.1).
    ///
    /// # Errors
    /// The token has control characters.
    pub fn bearer(self, token: &Secret) -> Result<Self, CallFault> {
        self.sensitive(AUTHORIZATION, &credential::bearer(token.expose()))
    }

    /// `authorization: Basic base64(USER:PASSWORD)` (RFC 7617 section 2).
    ///
    /// # Errors
    /// Infallible; returns `Result` for symmetry with the other constructors.
    pub fn basic(self, user: &str, password: &Secret) -> Result<Self, CallFault> {
        self.sensitive(AUTHORIZATION, &credential::basic(user, password.expose()))
    }

    /// A JSON body.
    ///
    /// # Errors
    /// The value has no JSON form.
    pub fn json(self, value: &impl Serialize) -> Result<Self, CallFault> {
        Ok(self.body("application/json", json::write(value)?))
    }

    /// A body of `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &[u8])]) -> Self {
        // Every byte takes at most three ("%0A"); the vector must not move with secrets in it.
        let room = pairs.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        let mut body = Zeroizing::new(Vec::with_capacity(room));
        for (at, (name, value)) in pairs.iter().enumerate() {
            if at > 0 {
                body.push(b'&');
            }
            byte_serialize(name.as_bytes())
                .for_each(|part| body.extend_from_slice(part.as_bytes()));
            body.push(b'=');
            byte_serialize(value).for_each(|part| body.extend_from_slice(part.as_bytes()));
        }
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Any body.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: Zeroizing<Vec<u8>>) -> Self {
        self.0.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        *self.0.body_mut() = Some(Body::from(Bytes::from_owner(body)));
        self
    }

    fn sensitive(mut self, name: HeaderName, secret: &Secret) -> Result<Self, CallFault> {
        let own = Zeroizing::new(secret.expose().to_vec());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(own))
            .map_err(|_| CallFault::Unsendable("a secret has control characters"))?;
        value.set_sensitive(true);
        self.0.headers_mut().insert(name, value);
        Ok(self)
    }

    pub(super) fn into_request(self) -> Request {
        self.0
    }
}

fn named(name: &str) -> Result<HeaderName, CallFault> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| CallFault::Unsendable("a header's name is none"))
}
