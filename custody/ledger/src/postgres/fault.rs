//! The database does not answer, or is not ours.

use crate::LedgerFault;
use custody_base::outbound::ReachFault;
use std::error::Error;

/// The database cannot be used. The text follows the field's name: `store.postgres`.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    #[error(".{0}")]
    Tls(#[from] ReachFault),
    #[error(": {0}")]
    Ledger(#[from] LedgerFault),
    #[error(": the database has no tables of custody yet; custody serve makes them")]
    Empty,
    #[error(
        ": the database has layout {found}, this custody supports layouts up to {known}; \
             use the newer custody"
    )]
    Newer { found: i64, known: i64 },
    #[error(": the database has tables of another program; give the ledger a database of its own")]
    Foreign,
    /// `LISTEN` receives nothing.
    #[error(
        ": a connection pooler in front of the database, such as PgBouncer, gives each transaction \
         another connection: LISTEN, session settings and prepared statements do not work; \
         fix: connect to PostgreSQL itself, or set pool_mode = session"
    )]
    Pooled,
}

/// No answer.
pub(super) fn down(error: &tokio_postgres::Error) -> LedgerFault {
    // Of the database's complaint only the message: its detail quotes values.
    let reason = match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => chain(error),
    };
    LedgerFault::Down(reason)
}

/// An error with its causes; none of them holds the password.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}
