//! Answers in JSON.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use zeroize::Zeroizing;

/// White space in front of a secret, which JSON allows (RFC 8259 section 2). `h2` copies the first 256
/// bytes of an answer into a buffer that lives as long as the connection, and sends the rest from where
/// it is.
const LEAD: usize = 256;

/// An answer without a secret in it.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => of(status, body.into()),
        // Unreachable: all response types serialize.
        Err(_) => of(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
    }
}

/// 200 without a secret in it.
pub fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, value)
}

/// 200 in a buffer that is wiped when the connection has sent it.
pub fn secret(body: &Zeroizing<Vec<u8>>) -> Response {
    let mut behind = Zeroizing::new(Vec::with_capacity(LEAD + body.len()));
    behind.resize(LEAD, b' ');
    behind.extend_from_slice(body);
    of(StatusCode::OK, Bytes::from_owner(behind))
}

/// A body that is JSON already.
pub fn of(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
