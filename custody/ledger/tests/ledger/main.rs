//! One suite for every ledger: each case runs on SQLite and on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cases;
mod crash;
mod outage;
mod plans;
mod sample;
mod store;

use cases::CASES;
use std::time::Instant;
use store::{OnServer, Sqlite, Store};

/// Runs every case on a new ledger of its own, and tells of all that fail.
async fn run_all(store: &dyn Store) {
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let (home, begin) = (store.make(name).await, Instant::now());
        // A task of its own, so that a panic ends the case and not the others.
        if let Err(error) = tokio::spawn(case(home)).await {
            failed.push(format!("{name}: {error}"));
        }
        eprintln!("{name}: {:?}", begin.elapsed());
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_on_sqlite() {
    custody_ledger::observe_statements(plans::observe);
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::in_folder(folder.path());
    run_all(&store).await;
    plans::none_scans_on_sqlite(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_on_postgres() {
    custody_ledger::observe_statements(plans::observe);
    let folder = tempfile::tempdir().unwrap();
    let store = OnServer::in_folder(folder.path()).await;
    run_all(&store).await;
    plans::none_scans_on_postgres(&store).await;
}
