//! How a lease is read.

use crate::{LeaseRow, LedgerFault, codec};
use rusqlite::Row;

/// The columns that [`read`] reads.
pub(super) const COLUMNS: &str = "lease_id, session, subject, actor, handle, destination, binding, \
                       issued_at, expires_at, backend, revocation, outcome, failure_code";

pub(super) fn read(row: &Row<'_>) -> Result<LeaseRow, LedgerFault> {
    Ok(LeaseRow {
        lease_id: row.get(0)?,
        session: row.get(1)?,
        subject: row.get(2)?,
        actor: codec::read_actor(row.get(3)?)?,
        handle: codec::read_handle(row.get(4)?)?,
        destination: row.get(5)?,
        binding: codec::read_binding(&row.get::<_, String>(6)?)?,
        issued_at: row.get(7)?,
        expires_at: row.get(8)?,
        backend: row.get(9)?,
        revocation: row.get(10)?,
        outcome: codec::read_reported_outcome(row.get(11)?, row.get(12)?)?,
    })
}
