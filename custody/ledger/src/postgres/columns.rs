//! Numbers and columns, as PostgreSQL has them.

use crate::LedgerFault;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// PostgreSQL has no unsigned numbers. Times beyond its range are as good as never.
pub(super) fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// A column; one that is not what our tables have is a fault and no panic.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, LedgerFault> {
    row.try_get(column).map_err(|_| LedgerFault::Row("a column"))
}

pub(super) fn unsigned<T: TryFrom<i64>>(number: i64) -> Result<T, LedgerFault> {
    T::try_from(number).map_err(|_| LedgerFault::Row("a number"))
}
