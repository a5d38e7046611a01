//! The tables: how they come up to date, also when several custodies start at once.

use super::columns::get;
use super::connect::Connector;
use super::fault::{ConnectFault, down};
use crate::LedgerFault;
use crate::Missing;
use std::time::Duration;
use tokio_postgres::Client;

/// Each brings the layout of its position to the next one. One that was released never changes.
const MIGRATIONS: [&str; 7] = [
    include_str!("tables.sql"),
    include_str!("record_lease.sql"),
    include_str!("credential_origin.sql"),
    include_str!("indexes.sql"),
    include_str!("lease_conditions.sql"),
    include_str!("bulk_orders.sql"),
    include_str!("bulk_order_action.sql"),
];

/// "LHld": the advisory lock of the custody that changes the tables.
const LOCK: i64 = 0x4c48_6c64;
/// The first of several custodies changes the tables, the others wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Applies what is missing, in one transaction; to an empty database only if it may be made.
pub(super) async fn migrate(connector: &Connector, missing: Missing) -> Result<(), ConnectFault> {
    let (client, connection) = connector.connect().await?;
    let driver = tokio::spawn(connection);
    let migrated = tokio::time::timeout(PATIENCE, apply(&client, missing)).await;
    driver.abort();
    migrated.unwrap_or_else(|_| {
        let late = "its tables could not be brought up to date in time";
        Err(ConnectFault::Ledger(LedgerFault::Down(late.into())))
    })
}

async fn apply(client: &Client, missing: Missing) -> Result<(), ConnectFault> {
    let failed = |error: tokio_postgres::Error| ConnectFault::Ledger(down(&error));
    let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})");
    client.batch_execute(&begin).await.map_err(failed)?;
    let applied = find(client, missing).await?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let newer = ConnectFault::Newer { found: applied, known };
    let Some(missing) = usize::try_from(applied).ok().and_then(|done| MIGRATIONS.get(done..))
    else {
        return Err(newer);
    };
    for migration in missing {
        client.batch_execute(migration).await.map_err(failed)?;
    }
    let note = format!("UPDATE leasehold_layout SET applied = {known}; COMMIT");
    client.batch_execute(&note).await.map_err(failed)
}

/// How many migrations were applied; 0 in an empty database.
async fn find(client: &Client, missing: Missing) -> Result<i64, ConnectFault> {
    let failed = |error: tokio_postgres::Error| ConnectFault::Ledger(down(&error));
    let ours = "SELECT to_regclass('leasehold_layout') IS NOT NULL,
        EXISTS (SELECT 1 FROM pg_class WHERE relkind = 'r' AND relname IN ('credential', 'lease',
            'session', 'change', 'counter') AND pg_table_is_visible(oid))";
    let row = client.query_one(ours, &[]).await.map_err(failed)?;
    match (get(&row, 0)?, get(&row, 1)?) {
        (true, _) => {}
        (false, true) => return Err(ConnectFault::Foreign),
        (false, false) if missing == Missing::Refuse => return Err(ConnectFault::Empty),
        (false, false) => {
            let make = "CREATE TABLE leasehold_layout (applied BIGINT NOT NULL);
                INSERT INTO leasehold_layout VALUES (0)";
            client.batch_execute(make).await.map_err(failed)?;
        }
    }
    let row = client.query_one("SELECT applied FROM leasehold_layout", &[]).await;
    Ok(get(&row.map_err(failed)?, 0)?)
}
