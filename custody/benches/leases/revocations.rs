//! How soon an edge hears of a revocation.

use crate::common::Home;
use crate::common::stores::Store;
use crate::load::client;
use crate::numbers::{at, micros};
use axum::body::{Body, to_bytes};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use lease::SyncAnswer;
use serde_json::json;
use std::time::{Duration, Instant};

const REVOCATIONS: usize = 1000;
/// Milliseconds.
const GOAL: f64 = 100.0;

/// From the moment an operator sends the order to the edge's having its answer; in between custody
/// writes the audit record and the revocation, both durably.
pub async fn measure() -> String {
    let home = Home::bare(Store::Sqlite);
    let running = home.serve();
    let mut edge = client(&home.edge_client(), running.edge).await;
    let mut operator = client(&home.operator_client(), running.admin).await;
    let mut known = hear(&mut edge, "").await;
    let mut delays = Vec::with_capacity(REVOCATIONS);
    for number in 0..REVOCATIONS {
        let (query, name) = (format!("?cursor={}&wait=30", known.cursor), format!("s-{number}"));
        let hearing = async {
            let heard = hear(&mut edge, &query).await;
            (heard, Instant::now())
        };
        let ordering = async {
            // The edge is waiting by then.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let ordered = Instant::now();
            revoke(&mut operator, &name).await;
            ordered
        };
        let ((heard, at), ordered) = tokio::join!(hearing, ordering);
        // Behind the name of the issuer.
        let is_named = |id: &str| id.ends_with(&format!("#{name}"));
        assert!(!heard.full && heard.changes.iter().any(|change| is_named(&change.id)));
        known = heard;
        delays.push(at - ordered);
    }
    delays.sort_unstable();
    let [median, p99, longest] = [50, 99, 100].map(|percent| micros(at(&delays, percent)) / 1000.0);
    let met = if p99 < GOAL { "met" } else { "not met" };
    format!(
        "From the order to an edge that long-polls, {REVOCATIONS} revocations (SQLite, durable): median \
         {median:.2} ms, p99 {p99:.2} ms, longest {longest:.2} ms. Goal: p99 under {GOAL} ms ({met})."
    )
}

async fn revoke(operator: &mut SendRequest<Body>, session: &str) {
    let order = json!({"kind": "session", "id": session}).to_string();
    let request = Request::post("/v1/revocations").header("host", "custody.internal");
    let request = request.header("content-type", "application/json").body(Body::from(order));
    operator.ready().await.unwrap();
    let response = operator.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    to_bytes(Body::new(response.into_body()), 1 << 16).await.unwrap();
}

async fn hear(edge: &mut SendRequest<Body>, query: &str) -> SyncAnswer {
    let request = Request::get(format!("/v1/sync{query}")).header("host", "custody.internal");
    edge.ready().await.unwrap();
    let response = edge.send_request(request.body(Body::empty()).unwrap()).await.unwrap();
    let body = to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
    SyncAnswer::decode(&body).unwrap()
}
