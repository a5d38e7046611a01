//! The tables, and whose store it is.

use crate::store::StoreFault;
use crate::store::root_key::{RootKey, StoreKeys};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// `PRAGMA application_id`: "LHcs". Says that a SQLite file is ours before anything is written.
const APPLICATION: i64 = 0x4c48_6373;
/// `PRAGMA user_version`: the layout below.
const LAYOUT: i64 = 1;

const TABLES: &str = "
CREATE TABLE store (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    salt          BLOB    NOT NULL CHECK (length(salt) = 32),
    key_check     BLOB    NOT NULL CHECK (length(key_check) = 32),
    last_version  INTEGER NOT NULL
) STRICT;
CREATE TABLE credential (
    actor      TEXT    NOT NULL,
    handle     TEXT    NOT NULL,
    version    INTEGER NOT NULL UNIQUE,
    shape      TEXT    NOT NULL,
    envelope   BLOB    NOT NULL,
    stored_at  INTEGER NOT NULL,
    PRIMARY KEY (actor, handle)
) STRICT, WITHOUT ROWID;
";

/// Makes the connection as durable and as forgetful as a store of secrets should be.
pub fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    // One file and no log of old pages beside it; a deleted value is overwritten with zeros.
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))
}

/// Creates the tables in an empty file; on one that has them, checks that this root key sealed it.
pub fn unlock(connection: &mut Connection, root: &RootKey) -> Result<StoreKeys, StoreFault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i64 = pragma(&transaction, "application_id")?;
    let layout: i64 = pragma(&transaction, "user_version")?;
    let keys = match (application, layout) {
        (APPLICATION, LAYOUT) => check(&transaction, root)?,
        (APPLICATION, other) => return Err(StoreFault::Layout(other)),
        (0, 0) if is_empty(&transaction)? => create(&transaction, root)?,
        _ => return Err(StoreFault::Foreign),
    };
    transaction.commit()?;
    Ok(keys)
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, rusqlite::Error> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn is_empty(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| row.get(0))
}

fn create(connection: &Connection, root: &RootKey) -> Result<StoreKeys, StoreFault> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|_| StoreFault::Randomness)?;
    let keys = root.for_store(&salt);
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", LAYOUT)?;
    connection.execute(
        "INSERT INTO store (one, salt, key_check, last_version) VALUES (1, ?1, ?2, 0)",
        (&salt[..], &keys.check()[..]),
    )?;
    Ok(keys)
}

fn check(connection: &Connection, root: &RootKey) -> Result<StoreKeys, StoreFault> {
    let row = connection
        .query_row("SELECT salt, key_check FROM store", (), |row| {
            Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, [u8; 32]>(1)?))
        })
        .optional()?;
    let (salt, stored) = row.ok_or(StoreFault::WrongKey)?;
    let keys = root.for_store(&salt);
    if *keys.check() != stored {
        return Err(StoreFault::WrongKey);
    }
    Ok(keys)
}
