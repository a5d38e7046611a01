//! The routes of the edge and the health listener.

use super::{Service, leases, sync};
use crate::api::answer;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use std::time::Duration;
use tokio::time::timeout;

/// A probe without an answer for so long counts custody as down.
const HEALTH_LIMIT: Duration = Duration::from_secs(2);

/// The routes of the edge listener.
pub fn edge_routes(service: Service) -> Router {
    Router::new()
        .route("/v1/leases", post(leases::lease))
        .route("/v1/leases/{id}/outcome", post(leases::outcome))
        .route("/v1/sync", get(sync::sync))
        .route("/v1/seen", post(sync::seen))
        .route("/healthz", get(health))
        .with_state(service)
}

/// The routes of the health listener.
pub fn health_routes(service: Service) -> Router {
    Router::new().route("/healthz", get(health)).route("/metrics", get(metrics)).with_state(service)
}

/// Healthy is who could write the next audit record and has a ledger that answers; without either no
/// lease would be given.
async fn health(State(service): State<Service>) -> Response {
    let audit = timeout(HEALTH_LIMIT, service.audit.probe());
    let ledger = timeout(HEALTH_LIMIT, service.ledger.kill_switch());
    let (status, body): (_, &[u8]) = match tokio::join!(audit, ledger) {
        (Ok(Ok(())), Ok(Ok(_))) => (StatusCode::OK, b"{\"status\":\"ok\"}"),
        (Ok(Ok(())), _) => (StatusCode::SERVICE_UNAVAILABLE, b"{\"status\":\"ledger failing\"}"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, b"{\"status\":\"audit log failing\"}"),
    };
    answer::of(status, Bytes::from_static(body))
}

async fn metrics(State(service): State<Service>) -> Response {
    let mut response = Response::new(Body::from(service.metrics.page(service.audit.counts())));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
