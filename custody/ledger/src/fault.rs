//! The ledger does not answer.

/// The ledger did not answer. The text is for the operator's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    #[error("the ledger is not there: {0}")]
    Down(String),
    #[error("a row of the ledger does not read: {0}")]
    Row(&'static str),
}

// === impl LedgerFault ===

impl From<rusqlite::Error> for LedgerFault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sqlite;
        match error {
            Sqlite::FromSqlConversionFailure(..)
            | Sqlite::IntegralValueOutOfRange(..)
            | Sqlite::InvalidColumnType(..) => Self::Row("a column"),
            other => Self::Down(other.to_string()),
        }
    }
}
