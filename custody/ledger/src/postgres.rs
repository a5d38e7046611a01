//! The ledger of several custodies: a PostgreSQL database of its own.
//!
//! Every call ends within [`LIMIT`], with an answer or a fault. A database that is down, slow or behind
//! a dead network is a fault, and custody issues no lease. A connection that a call left behind
//! half-way is closed and not used again.

mod bulk_orders;
mod call;
mod columns;
mod connect;
mod envelope_rows;
mod envelopes;
mod fault;
mod layout;
mod lease_pages;
mod lease_rows;
mod leases;
mod listener;
mod locks;
mod notices;
mod pooler;
mod reservations;
mod revocations;

use super::{LedgerFault, Missing};
use call::{Call, LIMIT};
use connect::Connector;
pub use connect::{PostgresPlace, UrlFault};
use deadpool_postgres::Pool;
pub use fault::ConnectFault;
use listener::Listener;

/// An open ledger. Dropping it closes its connections.
pub struct PostgresLedger {
    pool: Pool,
    /// For the edges' feed.
    feed: Pool,
    listener: Listener,
}

/// Connections for the edges' feed: one for the task that follows it, one for edges that are behind.
const FEED_CONNECTIONS: usize = 2;

// === impl PostgresLedger ===

impl PostgresLedger {
    /// Connects, and brings the tables up to date. Replicas may start at the same time.
    ///
    /// # Errors
    /// The database does not answer, refuses us, is not ours, or is behind a pooler of transactions.
    pub async fn open(place: &PostgresPlace, missing: Missing) -> Result<Self, ConnectFault> {
        let connector = Connector::new(place)?;
        pooler::refuse(&connector).await?;
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
