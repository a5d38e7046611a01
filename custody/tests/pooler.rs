//! A real PgBouncer between custody and its PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::stores::Store;
use common::{Home, custody, run, text};
use serde_json::json;
use stack::postgres::{PoolMode, RunningPgBouncer};
use std::fs;

/// From now on custody reaches its database through the pooler.
fn through_pgbouncer(home: &Home, mode: PoolMode) -> RunningPgBouncer {
    let database = home.database.as_ref().unwrap();
    let pgbouncer = database.pgbouncer(mode);
    fs::write(home.path("database.url"), pgbouncer.url("postgres")).unwrap();
    home.edit(&format!(", ca: {}", database.ca().display()), "");
    pgbouncer
}

#[tokio::test]
async fn pooler_divides_sessions_custody_refuses_to_start_and_names_the_fix() {
    for mode in [PoolMode::Transaction, PoolMode::Statement] {
        let home = Home::new(Store::Postgres);
        let _pgbouncer = through_pgbouncer(&home, mode);
        for command in ["check", "serve"] {
            let output = run(custody().args([command, "--config"]).arg(home.config()), b"");
            let text = text(&output);
            assert!(!output.status.success(), "{mode:?}: {command}: {text}");
            for part in ["store.postgres: a connection pooler", "PgBouncer", "pool_mode = session"]
            {
                assert!(text.contains(part), "{mode:?}: {command}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn pooler_keeps_sessions_custody_serves() {
    let home = Home::new(Store::Postgres);
    let _pgbouncer = through_pgbouncer(&home, PoolMode::Session);
    let checked = run(custody().args(["check", "--config"]).arg(home.config()), b"");
    assert!(!text(&checked).contains("pooler"), "{}", text(&checked));
    let running = home.serve();
    for _ in 0..3 {
        let answer = home.lease(&running, &home.request()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let order = json!({"kind": "handle", "id": "github-ci"}).to_string().into_bytes();
    let operator = home.operator_client();
    let revoked = operator.send(running.admin, "POST", "/v1/revocations", &[], Some(&order)).await;
    assert_eq!(revoked.unwrap().json()["leases"], 3);
    assert_eq!(home.lease(&running, &home.request()).await.status, 403);
}
