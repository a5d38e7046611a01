//! What custody answers over HTTP to edges and to probes.

use crate::audit::AuditLog;
use crate::audit::entry::request_id;
use crate::issue::Issuer;
use crate::metrics::Metrics;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use lease::RefusalCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What every request has at hand.
#[derive(Clone)]
pub struct Service {
    pub issuer: Arc<Issuer>,
    pub audit: AuditLog,
    pub metrics: Arc<Metrics>,
}

/// The largest lease request, in bytes: a Session JWT of 8 KiB and a long path leave room.
pub const BODY_LIMIT: usize = 64 * 1024;
/// From the last byte of the head to the first of the answer. The edge gives up sooner.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The routes of the edge listener.
pub fn edge_routes(service: Service) -> Router {
    Router::new()
        .route("/v1/leases", post(lease))
        .route("/healthz", get(health))
        .with_state(service)
}

/// The routes of the health listener.
pub fn health_routes(service: Service) -> Router {
    Router::new().route("/healthz", get(health)).route("/metrics", get(metrics)).with_state(service)
}

async fn lease(State(service): State<Service>, request: Request) -> Response {
    let started = Instant::now();
    let outcome = match tokio::time::timeout(TIME_LIMIT, issue(&service, request)).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(RefusalCode::Unavailable),
    };
    service.metrics.answered(outcome.as_ref().err().copied(), started.elapsed());
    match outcome {
        Ok(body) => json(StatusCode::OK, Bytes::from_owner(body)),
        Err(code) => {
            // Counted, and in the audit log; here it would let anybody fill a disk.
            tracing::debug!(code = code.code(), "no lease");
            let status = StatusCode::from_u16(code.status());
            json(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code.encode().into())
        }
    }
}

/// The lease as JSON, in a buffer that is wiped when the connection has sent it.
async fn issue(service: &Service, request: Request) -> Result<Zeroizing<Vec<u8>>, RefusalCode> {
    let request_id = request_id_of(request.headers());
    let body =
        to_bytes(request.into_body(), BODY_LIMIT).await.map_err(|_| RefusalCode::BadRequest)?;
    // It holds a Session JWT. Taken over without a copy where nobody else has a share in it.
    let body = Zeroizing::new(Vec::from(body));
    let lease = service.issuer.issue(&body, request_id).await?;
    lease.encode().map_err(|_| RefusalCode::Unavailable)
}

fn request_id_of(headers: &HeaderMap) -> Option<String> {
    headers.get("x-request-id").and_then(|value| request_id(value.as_bytes()))
}

/// Healthy is who could write the next audit record; without it no lease would be given.
pub(crate) async fn health(State(service): State<Service>) -> Response {
    match service.audit.probe().await {
        Ok(()) => json(StatusCode::OK, Bytes::from_static(b"{\"status\":\"ok\"}")),
        Err(_) => json(
            StatusCode::SERVICE_UNAVAILABLE,
            Bytes::from_static(b"{\"status\":\"audit log failing\"}"),
        ),
    }
}

async fn metrics(State(service): State<Service>) -> Response {
    let mut response = Response::new(Body::from(service.metrics.page(service.audit.counts())));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn json(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
