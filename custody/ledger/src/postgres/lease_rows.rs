//! How a lease is read.

use super::columns::{get, unsigned};
use crate::{LeaseRow, LedgerFault, codec};
use tokio_postgres::Row;

/// The columns that [`read`] reads.
pub(super) const COLUMNS: &str = "lease_id, session, subject, actor, handle, destination, binding, \
                       issued_at, expires_at, backend, revocation, outcome, failure_code";

pub(super) fn read(row: &Row) -> Result<LeaseRow, LedgerFault> {
    Ok(LeaseRow {
        lease_id: get(row, 0)?,
        session: get(row, 1)?,
        subject: get(row, 2)?,
        actor: codec::read_actor(get(row, 3)?)?,
        handle: codec::read_handle(get(row, 4)?)?,
        destination: get(row, 5)?,
        binding: codec::read_binding(get(row, 6)?)?,
        issued_at: unsigned(get(row, 7)?)?,
        expires_at: unsigned(get(row, 8)?)?,
        backend: get(row, 9)?,
        revocation: get(row, 10)?,
        outcome: codec::read_reported_outcome(get(row, 11)?, get(row, 12)?)?,
    })
}
