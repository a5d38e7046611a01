//! The ledger of several custodies: a PostgreSQL database of its own.
//!
//! Every call ends within [`LIMIT`], with an answer or a fault: a database that is down, slow or
//! behind a dead network is told at once, and nothing is leased. A connection that a call left
//! behind half-way is closed and not used again.

mod bulk_orders;
mod call;
mod connect;
mod envelopes;
mod layout;
mod lease_pages;
mod lease_rows;
mod leases;
mod listener;
mod locks;
mod notices;
mod reservations;
mod revocations;

use super::{LedgerFault, Missing};
use call::Call;
use connect::Connector;
pub use connect::{PostgresPlace, UrlFault};
use deadpool_postgres::Pool;
use listener::Listener;
use std::time::Duration;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// An open ledger. Dropping it closes its connections.
pub struct PostgresLedger {
    pool: Pool,
    /// For the edges' feed.
    feed: Pool,
    listener: Listener,
}

/// The database cannot be used. The text follows the field's name: `store.postgres`.
#[derive(Debug, thiserror::Error)]
pub enum ConnectFault {
    #[error(".{0}")]
    Tls(#[from] custody_base::outbound::ReachFault),
    #[error(": {0}")]
    Ledger(#[from] LedgerFault),
    #[error(": the database has no tables of custody yet; custody serve makes them")]
    Empty,
    #[error(
        ": the database has layout {found}, this custody knows layouts up to {known}; \
             use the newer custody"
    )]
    Newer { found: i64, known: i64 },
    #[error(": the database has tables of another program; give the ledger a database of its own")]
    Foreign,
}

/// Connections for the edges' feed: one for the task that follows it, one for edges that are behind.
const FEED_CONNECTIONS: usize = 2;
/// The longest any call takes, waiting for a connection included.
const LIMIT: Duration = Duration::from_secs(5);

// === impl PostgresLedger ===

impl PostgresLedger {
    /// Connects, and brings the tables up to date. Replicas may start at the same time.
    ///
    /// # Errors
    /// The database does not answer, refuses us, or is not ours.
    pub async fn open(place: &PostgresPlace, missing: Missing) -> Result<Self, ConnectFault> {
        let connector = Connector::new(place)?;
        layout::migrate(&connector, missing).await?;
        let pool = connector.pool(place.connections)?;
        let feed = connector.pool(FEED_CONNECTIONS)?;
        let ledger = Self { pool, feed, listener: Listener::start(connector) };
        // What goes wrong with the pool's own connections shows now.
        ledger.call().await?.finish();
        Ok(ledger)
    }

    /// A connection for one call.
    async fn call(&self) -> Result<Call, LedgerFault> {
        Call::begin(&self.pool, LIMIT).await
    }

    /// A connection for one call about the edges' feed.
    async fn feed_call(&self) -> Result<Call, LedgerFault> {
        Call::begin(&self.feed, LIMIT).await
    }
}

fn down(error: &tokio_postgres::Error) -> LedgerFault {
    // Of the database's complaint only the message: its detail quotes values.
    let reason = match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => connect::chain(error),
    };
    LedgerFault::Down(reason)
}

/// PostgreSQL has no unsigned numbers. Times beyond what it can say are as good as never.
fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// A column; one that is not what our tables have is a fault and no panic.
fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, LedgerFault> {
    row.try_get(column).map_err(|_| LedgerFault::Row("a column"))
}

fn unsigned<T: TryFrom<i64>>(number: i64) -> Result<T, LedgerFault> {
    T::try_from(number).map_err(|_| LedgerFault::Row("a number"))
}
