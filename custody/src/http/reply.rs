//! Answers, and the bodies they are answers to.

use crate::api::answer;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use custody_audit::entry::{request_id, trace_id};
use lease::RefusalCode;
use std::time::Duration;
use zeroize::Zeroizing;

/// From the head of a request to the end of its body.
const BODY_TIME: Duration = Duration::from_secs(5);

/// `Retry-After` in seconds, unless there is a better guess.
const RETRY_AFTER: u64 = 1;

/// `{"code": ...}`; a 429 or 503 has `Retry-After`.
pub(super) fn refusal(code: RefusalCode, retry_after: Option<u64>) -> Response {
    let mut response = coded(code.status(), code.code());
    if matches!(code.status(), 429 | 503) {
        let seconds = HeaderValue::from(retry_after.unwrap_or(RETRY_AFTER));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// The codes need no escaping.
pub(super) fn coded(status: u16, code: &'static str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer::of(status, format!("{{\"code\":\"{code}\"}}").into())
}

pub(super) fn empty() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The whole body, within a size and a time.
///
/// # Errors
/// [`RefusalCode::BadRequest`] if it is too large or breaks off, [`RefusalCode::Unavailable`] if it
/// does not end.
pub(super) async fn read(body: Body, limit: usize) -> Result<Zeroizing<Vec<u8>>, RefusalCode> {
    match tokio::time::timeout(BODY_TIME, to_bytes(body, limit)).await {
        // It may hold a Session JWT. Taken over without a copy where nobody else has a share in it.
        Ok(Ok(body)) => Ok(Zeroizing::new(Vec::from(body))),
        Ok(Err(_)) => Err(RefusalCode::BadRequest),
        Err(_elapsed) => Err(RefusalCode::Unavailable),
    }
}

pub(super) fn request_id_of(headers: &HeaderMap) -> Option<String> {
    let of = |name| headers.get(name).map(HeaderValue::as_bytes);
    of("traceparent").and_then(trace_id).or_else(|| of("x-request-id").and_then(request_id))
}
