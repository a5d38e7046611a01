//! The admin API: what operators may do, over TLS with a certificate of their own CA.

use crate::http::{Service, health};
use axum::Router;
use axum::routing::get;

/// The routes of the admin listener.
pub fn routes(service: &Service) -> Router {
    Router::new().route("/healthz", get(health)).with_state(service.clone())
}
