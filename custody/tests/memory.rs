//! What a core dump of custody would hold, were there one: no long-lived secret, once the lease it
//! was opened for has been given; nor has its disk.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::{Body, to_bytes};
use common::Running;
use common::client::post;
use common::scan::{files_below, found_in_memory, holds, spellings};
use common::sources::{KV, OAUTH, SEALED, Sources, canary};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

/// Of each handle, over each of two connections.
const LEASES: usize = 20;
/// Connections to backends are closed when they have been idle for some seconds, and what they read
/// goes with them.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a value would show if only its end were left: an allocator writes over the beginning of what is
/// given back.
fn ends(value: &str) -> Vec<Vec<u8>> {
    spellings(&value[value.len() - 20..])
}

/// An edge's connection, which stays open and idle. HTTP/2 is what Envoy speaks.
enum Edge {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Edge {
    async fn connect(sources: &Sources, running: &Running, alpn: &'static [u8]) -> Self {
        let mut client = sources.home.edge_client();
        client.alpn = alpn;
        let stream = TokioIo::new(client.connect(running.edge).await.unwrap());
        if alpn == b"h2" {
            let (edge, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            return Self::Http2(edge);
        }
        let (edge, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self::Http1(edge)
    }

    async fn lease(&mut self, sources: &Sources, handle: &str) {
        let request = post(Body::from(sources.request(handle).to_string()));
        let response = match self {
            Self::Http1(edge) => {
                edge.ready().await.unwrap();
                edge.send_request(request).await.unwrap()
            }
            Self::Http2(edge) => edge.send_request(request).await.unwrap(),
        };
        assert_eq!(response.status(), 200, "{handle}");
        let body = to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
        assert!(holds(&body, canary(handle).as_bytes()));
    }
}

#[tokio::test]
async fn an_idle_custody_holds_no_long_lived_secret() {
    let sources = Sources::start().await;
    let running = sources.home.serve();
    let stored = canary("stored");
    let operator = sources.home.operator_client();
    let body = json!({"type": "bearer", "token": stored}).to_string();
    let path = "/v1/credentials/default/stored";
    let put = operator.send(running.admin, "PUT", path, &[], Some(body.as_bytes())).await.unwrap();
    assert_eq!(put.status, 200, "{}", put.text());
    let mut edges = Vec::new();
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let mut edge = Edge::connect(&sources, &running, alpn).await;
        for _ in 0..LEASES {
            for handle in [SEALED, KV, OAUTH] {
                edge.lease(&sources, handle).await;
            }
        }
        edges.push(edge);
    }
    let pid = running.child.id();
    // The scanner sees: a token that custody keeps until it ends is there.
    assert!(!found_in_memory(pid, &ends(&canary(OAUTH))).is_empty(), "the scan finds nothing");
    let secrets: Vec<_> = [SEALED, KV, "stored"].map(canary).iter().flat_map(|c| ends(c)).collect();
    let begun = Instant::now();
    loop {
        let found = found_in_memory(pid, &secrets);
        if found.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", found.join("\n"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for path in files_below(&sources.home.path("")) {
        let bytes = fs::read(&path).unwrap();
        for canary in [SEALED, KV, OAUTH, "stored"].map(canary) {
            let found = ends(&canary).iter().any(|needle| holds(&bytes, needle));
            assert!(!found, "{canary} in {}", path.display());
        }
    }
    // It was idle, not dead.
    for edge in &mut edges {
        edge.lease(&sources, SEALED).await;
    }
}
