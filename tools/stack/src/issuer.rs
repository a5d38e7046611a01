//! Whoever publishes the keys of a stack's sessions: an HTTPS server with a key set, or with whatever
//! a test wants in its place. What it answers is read anew for every request.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::authority::Authority;
use crate::origin;

/// The name on its certificate.
pub const NAME: &str = "issuer.test";
/// The cluster of `envoy/fragments/issuer.yaml`.
pub const CLUSTER: &str = "issuer";

/// What it answers.
#[derive(Clone, Debug)]
pub enum Published {
    Answer {
        status: u16,
        body: String,
    },
    /// Nothing, ever.
    Silence,
}

/// A running issuer; it ends when it is dropped.
pub struct Issuer {
    address: SocketAddr,
    published: Shared,
    serving: JoinHandle<()>,
}

type Shared = Arc<Mutex<Published>>;

// === impl Published ===

impl Published {
    /// A key set.
    pub fn keys(jwks: &Value) -> Self {
        Self::Answer { status: 200, body: jwks.to_string() }
    }
}

// === impl Issuer ===

impl Issuer {
    /// Serves on a free port of `on`, with a certificate by `authority`.
    ///
    /// # Errors
    /// No socket to be had.
    pub fn start(
        runtime: &Handle,
        on: IpAddr,
        authority: &Authority,
        published: Published,
    ) -> Result<Self> {
        let tls =
            authority.server(&[NAME.to_owned()], origin::H2_AND_HTTP1, rustls::ALL_VERSIONS)?;
        let published = Arc::new(Mutex::new(published));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&published));
        let (address, serving) = origin::serving(runtime, SocketAddr::new(on, 0), tls, router)?;
        Ok(Self { address, published, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers from the next request on.
    pub fn publish(&self, published: Published) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = published;
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(published): State<Shared>) -> Response {
    let published = published.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match published {
        Published::Answer { status, body } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::CONTENT_TYPE, "application/jwk-set+json")], body).into_response()
        }
        Published::Silence => std::future::pending().await,
    }
}
