//! The state of custody: one trait a concept, one store that has them all.
//!
//! Two stores implement it: SQLite for a single custody, PostgreSQL for several replicas. Every method
//! is one transaction, durable when it returns unless its own text differs. A read or write that fails
//! is a [`LedgerFault`], and custody issues no lease after one.
//!
//! Times are Unix seconds and come in as arguments: the ledger never asks a clock.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing),
    deny(clippy::print_stdout)
)]

mod bulk_orders;
mod codec;
mod cursor;
mod envelopes;
mod fault;
mod feed;
mod leases;
mod locks;
mod notices;
mod place;
pub mod postgres;
mod reservations;
mod revocations;
pub mod sqlite;

pub use bulk_orders::{BulkOrder, BulkOrders};
pub use envelopes::{Envelopes, KeyRow, Row};
pub use fault::LedgerFault;
pub use leases::{
    FORGOTTEN_AT_ONCE, LeaseFilter, LeasePage, LeasePlace, LeaseRow, Leases, NewLease, PAGE,
    Recorded, ReportedOutcome,
};
pub use locks::Locks;
pub use notices::{Notice, Notices};
pub use place::{LedgerPlace, PlaceFault};
pub use postgres::{PostgresLedger, PostgresPlace};
pub use reservations::{Attempt, Closed, Opened, Reservation, Reservations, Settled};
pub use revocations::{
    AccessState, Blocker, Change, Claimant, Feed, FeedUpdate, Revocation, Revocations, Target,
};
pub use sqlite::{Missing, OpenFault, SqliteLedger};
use std::sync::OnceLock;

/// Everything at once.
pub trait Ledger:
    BulkOrders
    + Envelopes
    + Leases
    + Locks
    + Notices
    + Reservations
    + Revocations
    + Send
    + Sync
    + 'static
{
}

impl<T> Ledger for T where
    T: BulkOrders
        + Envelopes
        + Leases
        + Locks
        + Notices
        + Reservations
        + Revocations
        + Send
        + Sync
        + 'static
{
}

/// Gets the text of every statement, if it is set.
static OBSERVER: OnceLock<fn(&str)> = OnceLock::new();

/// Shows `observer` every statement of the ledgers that are opened from now on, so that a test can
/// explain each of them. Without values: those are not in the text. Counts once in a process.
pub fn observe_statements(observer: fn(&str)) {
    OBSERVER.get_or_init(|| observer);
}
