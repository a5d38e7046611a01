//! Answers in JSON.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use zeroize::Zeroizing;

/// An answer without a secret in it.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => of(status, body.into()),
        // Cannot be: every type of ours is written without fail.
        Err(_) => of(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
    }
}

/// 200 without a secret in it.
pub fn ok(value: &impl Serialize) -> Response {
    json(StatusCode::OK, value)
}

/// 200 in a buffer that is wiped when the connection has sent it.
pub fn secret(body: Zeroizing<Vec<u8>>) -> Response {
    of(StatusCode::OK, Bytes::from_owner(body))
}

fn of(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
