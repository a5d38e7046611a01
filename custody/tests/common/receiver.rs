//! Somebody who is told of failures: takes notices with a good signature.

use super::now;
use super::peer::Peer;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use custody::notify::SigningSecret;
use lease::Secret;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// What notices are signed with.
pub const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
pub struct Receiver(Arc<Mutex<Received>>);

#[derive(Default)]
pub struct Received {
    /// Each try: its id, its body and what was answered.
    pub tries: Vec<(String, String, u16)>,
    /// What is answered first, one a try.
    pub before: VecDeque<u16>,
    pub redirected: usize,
}

impl Receiver {
    pub async fn start() -> (Self, Peer) {
        let receiver = Self::default();
        let router = Router::new()
            .route("/hook", post(hook))
            .route("/elsewhere", post(elsewhere))
            .with_state(receiver.clone());
        (receiver, Peer::start(router).await)
    }

    pub fn inner(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap()
    }

    pub fn answers_first(&self, statuses: &[u16]) {
        self.inner().before = statuses.iter().copied().collect();
    }

    pub async fn wait_for_tries(&self, count: usize) {
        let enough = async {
            while self.inner().tries.len() < count {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, enough).await.unwrap_or_else(|_| panic!("{:?}", self.inner().tries));
    }

    /// The `data` of each try.
    pub fn told(&self) -> Vec<Value> {
        let data = |body: &str| serde_json::from_str::<Value>(body).unwrap()["data"].take();
        self.inner().tries.iter().map(|(_, body, _)| data(body)).collect()
    }
}

/// The section of custody.yaml that names it; its key is under the handle `notify-hmac`.
pub fn section(peer: &Peer) -> String {
    let (url, ca) = (peer.url(), peer.ca());
    let ca = ca.display();
    format!("notify: {{webhook: {{url: '{url}/hook', ca: {ca}, secret: {{handle: notify-hmac}}}}}}")
}

async fn hook(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, at) = (text("webhook-id"), text("webhook-timestamp").parse::<u64>().unwrap());
    let good = SigningSecret::read(&Secret::new(KEY)).unwrap().sign(&id, at, &body);
    let fresh = at.abs_diff(now()) < 60;
    let mut received = receiver.inner();
    let status = match (text("webhook-signature") == good && fresh, received.before.pop_front()) {
        (false, _) => 401,
        (true, Some(status)) => status,
        (true, None) => 200,
    };
    received.tries.push((id, String::from_utf8(body.to_vec()).unwrap(), status));
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::LOCATION, "/elsewhere")]).into_response()
}

async fn elsewhere(State(receiver): State<Receiver>) {
    receiver.inner().redirected += 1;
}
