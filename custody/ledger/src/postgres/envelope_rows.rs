//! How a row of the sealed store is read.

use super::columns::{get, unsigned};
use crate::{LedgerFault, Row, codec};

/// The columns that [`read`] reads.
pub(super) const COLUMNS: &str = "actor, handle, version, key, shape, envelope, stored_at, origin";

/// The row whose columns begin with this one.
pub(super) fn read(row: &tokio_postgres::Row, first: usize) -> Result<Row, LedgerFault> {
    Ok(Row {
        actor: codec::read_actor(get(row, first)?)?,
        handle: codec::read_handle(get(row, first + 1)?)?,
        version: unsigned(get(row, first + 2)?)?,
        key: get(row, first + 3)?,
        shape: get(row, first + 4)?,
        envelope: get(row, first + 5)?,
        stored_at: unsigned(get(row, first + 6)?)?,
        origin: unsigned(get(row, first + 7)?)?,
    })
}
