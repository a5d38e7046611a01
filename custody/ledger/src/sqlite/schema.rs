//! The tables: whose they are, and how they come up to date.

use super::fault::OpenFault;
use rusqlite::{Connection, TransactionBehavior};

/// `PRAGMA application_id`: "LHld". It marks a SQLite file as custody's before anything is written.
const APPLICATION: i64 = 0x4c48_6c64;

/// Each brings the layout of its position to the next one; `PRAGMA user_version` counts those that
/// were applied. One that was released never changes.
const MIGRATIONS: [&str; 6] = [
    include_str!("tables.sql"),
    include_str!("credential_origin.sql"),
    include_str!("indexes.sql"),
    include_str!("lease_conditions.sql"),
    include_str!("bulk_orders.sql"),
    include_str!("bulk_order_action.sql"),
];

/// Applies what is missing, in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenFault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let layout: i64 = pragma(&transaction, "user_version")?;
    match pragma(&transaction, "application_id")? {
        APPLICATION => {}
        0 if layout == 0 && is_empty(&transaction)? => {
            transaction.pragma_update(None, "application_id", APPLICATION)?;
        }
        _ => return Err(OpenFault::Foreign),
    }
    let newer = OpenFault::Newer(layout);
    let applied = usize::try_from(layout).ok();
    let Some(missing) = applied.and_then(|applied| MIGRATIONS.get(applied..)) else {
        return Err(newer);
    };
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    Ok(transaction.commit()?)
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn is_empty(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| row.get(0))
}
