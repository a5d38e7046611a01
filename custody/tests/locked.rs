//! A ledger that does not answer: no lease, said in time, and nobody piles up.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::client::{Answer, over_http1, post};
use common::stores::Store;
use common::{Home, Running};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Requests that custody works on at once here.
const PLACES: usize = 4;
/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// All at once: the connections are open before the first request is sent.
async fn flood(home: &Home, running: &Running, count: usize) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    for _ in 0..count {
        let stream = home.edge_client().connect(running.edge).await.unwrap();
        let request = post(Body::from(home.request().to_string()));
        asking.spawn(async { over_http1(stream, request).await.unwrap() });
    }
    asking.join_all().await
}

fn failures(home: &Home) -> usize {
    let of_the_ledger = |record: &&Value| record["reason"] == "ledger";
    home.records().iter().filter(of_the_ledger).count()
}

#[tokio::test]
async fn while_another_process_holds_the_database_nothing_is_leased_and_nobody_piles_up() {
    let home = Home::new(Store::Sqlite);
    home.edit("# limits: {", "limits: {");
    home.edit("concurrent: 1024", &format!("concurrent: {PLACES}"));
    let running = home.serve();
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let other = Connection::open(home.path("custody.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();

    let answers = flood(&home, &running, 3 * PLACES).await;
    for answer in &answers {
        assert_eq!((answer.status, answer.json()), (503, json!({"code": "unavailable"})));
    }
    // The others were turned away at the door: what is in the log was worked on.
    assert_eq!(failures(&home), PLACES, "the log says why, of those that had a place");

    other.execute_batch("ROLLBACK").unwrap();
    let begun = Instant::now();
    while home.lease(&running, &home.request()).await.status != 200 {
        assert!(begun.elapsed() < PATIENCE, "it does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(running.stop(), 0);
    assert!(home.verify().status.success());
}
