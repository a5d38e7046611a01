//! How a row of the sealed store is read.

use crate::{LedgerFault, Row, codec};
use custody_base::actor::Actor;
use lease::Handle;
use rusqlite::{Connection, Params};

pub(super) fn find(
    connection: &Connection,
    actor: &Actor,
    handle: &Handle,
) -> Result<Option<Row>, LedgerFault> {
    let rest = "WHERE actor = ?1 AND handle = ?2";
    Ok(select(connection, rest, (actor.as_str(), handle.as_str()))?.pop())
}

pub(super) fn select(
    connection: &Connection,
    rest: &str,
    values: impl Params,
) -> Result<Vec<Row>, LedgerFault> {
    let columns = "actor, handle, version, key, shape, envelope, stored_at, origin";
    let statement = format!("SELECT {columns} FROM credential {rest}");
    let mut statement = connection.prepare_cached(&statement)?;
    let mut found = statement.query(values)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(Row {
            actor: codec::read_actor(row.get(0)?)?,
            handle: codec::read_handle(row.get(1)?)?,
            version: row.get(2)?,
            key: row.get(3)?,
            shape: row.get(4)?,
            envelope: row.get(5)?,
            stored_at: row.get(6)?,
            origin: row.get(7)?,
        });
    }
    Ok(rows)
}
