//! A ledger of two days, filled with what they leave.

use crate::common::stores::Database;
use custody_ledger::{LedgerPlace, Missing};
use rusqlite::Connection;
use std::path::Path;
use std::process::Command;

/// Housekeeping would delete what is older.
const DAYS: u64 = 2 * 24 * 60 * 60 - 60 * 60;

/// The statements, in a dialect that both stores speak. `n` counts rows from 1.
fn statements(rows: u64, now: u64, series: impl Fn(u64) -> String, blob: &str) -> String {
    let begin = now - DAYS;
    let at = |of: u64| format!("({begin} + n * {DAYS} / {of})");
    let (few, issued) = ((rows / 10).max(1), at(rows));
    let seen = at(few);
    let (all, some) = (series(rows), series(few));
    format!(
        "INSERT INTO lease (lease_id, session, subject, actor, handle, destination, binding, issued_at,
            expires_at, backend)
         SELECT 'lse_' || n, 'session-' || (n / 10), 'job', 'actor-' || (n % 50),
            'handle-' || (n % 200), 'api.example:443', 'session', {issued}, {issued} + 300, 'bao'
         FROM {all};
         INSERT INTO session (id, last_seen) SELECT 'session-' || n, {seen} FROM {some};
         INSERT INTO held_lock (name, owner, held_until) SELECT 'jti-' || n, 'o', {seen} FROM {some};
         INSERT INTO reservation (key, lease_id, session, handle, destination, purpose, budget, state,
            holder, held_until, keep_until)
         SELECT {blob}, 'once-' || n, 'session-' || n, 'handle-' || (n % 200), 'api.example:443', 'p', 3,
            'settled', 'o', {seen}, {seen} FROM {some};"
    )
}

pub fn now() -> u64 {
    crate::common::now()
}

/// Fills the database, or without one the file, which has its tables already.
pub async fn fill(database: Option<&Database>, file: &Path, rows: u64) {
    match database {
        Some(database) => {
            drop(database.ledger().await);
            let series = |rows| format!("generate_series(1::bigint, {rows}) AS s (n)");
            let blob = "convert_to(lpad(n::text, 32, '0'), 'UTF8')";
            tokio::task::block_in_place(|| {
                database.run(&statements(rows, now(), series, blob));
                database.run("VACUUM ANALYZE");
                database.run("CHECKPOINT");
            });
        }
        None => {
            let place = LedgerPlace::Sqlite(file.to_owned());
            drop(place.open(Missing::Create).await.unwrap());
            let series = |rows| {
                format!(
                    "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})
                      SELECT n FROM s)"
                )
            };
            let statements = statements(rows, now(), series, "CAST(printf('%032d', n) AS BLOB)");
            let connection = Connection::open(file).unwrap();
            connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
            connection.execute_batch(&statements).unwrap();
            connection.execute_batch("UPDATE session SET check_after = last_seen").unwrap();
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
        }
    }
    // The kernel would write these pages during the measurement, and custody's syncs would wait for them.
    assert!(Command::new("sync").status().unwrap().success());
}

/// The indexes of before.
pub fn without_new_indexes(database: Option<&Database>, file: &Path) {
    let common =
        "DROP INDEX lease_by_session; CREATE INDEX lease_by_session ON lease (session); DROP INDEX session_by_check;
         DROP INDEX held_lock_by_end; DROP INDEX revocation_by_end;";
    match database {
        Some(database) => tokio::task::block_in_place(|| {
            database.run(common);
            database.run("DROP INDEX lease_by_handle; DROP INDEX lease_by_actor");
            database.run("DROP TRIGGER session_begins ON session");
        }),
        None => {
            let connection = Connection::open(file).unwrap();
            connection.execute_batch(common).unwrap();
            connection.execute_batch("DROP INDEX lease_by_end").unwrap();
        }
    }
}
