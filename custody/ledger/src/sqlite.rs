//! The ledger of a single custody: one SQLite file.
//!
//! SQLite blocks, so it is never asked on an async thread. One thread writes and commits what waits
//! together with one sync ([`writer`]); three read, one of them only what every lease asks for, and one
//! only the edges' feed, so that a long list delays nobody ([`reader`]). Readers and the writer do not
//! wait for each other (WAL).
//!
//! Another process may have the same file open (`custody cred put` beside `custody serve`).

mod bulk_orders;
mod envelope_rows;
mod envelopes;
mod fault;
mod file;
mod lease_pages;
mod lease_rows;
mod leases;
mod locks;
mod notices;
mod reader;
mod reservations;
mod revocations;
mod schema;
mod thread;
mod writer;

use super::OBSERVER;
pub use fault::OpenFault;
pub use file::Missing;
use reader::Reader;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use writer::Writer;

/// An open ledger. Dropping it writes what is waiting, and ends its threads.
pub struct SqliteLedger {
    writer: Writer,
    /// For what every lease asks.
    quick: Reader,
    /// For lists.
    slow: Reader,
    /// For the edges' feed.
    feed: Reader,
    /// Signals every change of the feed by this process.
    changed: Arc<watch::Sender<()>>,
}

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(2);
/// Pages of 4 KiB after which the log of pages is copied into the file, which waits for the disk. Four
/// times SQLite's own number: thousands of leases share the wait.
const CHECKPOINT: u32 = 4000;
/// Prepared statements a connection keeps; more than there are.
const STATEMENTS: usize = 64;

// === impl SqliteLedger ===

impl SqliteLedger {
    /// Opens the ledger at `path`, and brings its tables up to date.
    ///
    /// # Errors
    /// The file is not there (with [`Missing::Refuse`]), not ours, or newer than this program.
    pub fn open(path: &Path, missing: Missing) -> Result<Self, OpenFault> {
        file::prepare(path, missing)?;
        let mut writing = connect(path)?;
        schema::migrate(&mut writing)?;
        observe(&mut writing)?;
        let changed = Arc::new(watch::Sender::new(()));
        let reading = || -> Result<Connection, OpenFault> {
            let mut connection = connect(path)?;
            connection.pragma_update(None, "query_only", "ON")?;
            observe(&mut connection)?;
            Ok(connection)
        };
        let (quick, slow, feed) = (reading()?, reading()?, reading()?);
        Ok(Self {
            writer: Writer::start(writing, Arc::clone(&changed)).map_err(OpenFault::Thread)?,
            quick: Reader::start("ledger-quick", quick).map_err(OpenFault::Thread)?,
            slow: Reader::start("ledger-slow", slow).map_err(OpenFault::Thread)?,
            feed: Reader::start("ledger-feed", feed).map_err(OpenFault::Thread)?,
            changed,
        })
    }
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // What is deleted is overwritten with zeros.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(connection)
}

/// Reports its statements to the observer.
fn observe(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    if let Some(observer) = OBSERVER.get() {
        let observe = |event: TraceEvent<'_>| {
            if let TraceEvent::Stmt(_, statement) = event {
                observer(statement);
            }
        };
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(observe))?;
    }
    Ok(())
}
