//! The thread that writes: what waits together is one transaction, and one sync of the disk.

use super::thread::{Receipt, Thread};
use crate::LedgerFault;
use custody_base::batch::recv_many;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::io;
use std::ops::BitOr;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// The way to the thread.
pub(super) struct Writer(Thread<Box<dyn Order>>);

/// The effects of a commit besides its changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WriteOptions {
    /// It survives a power failure. Without it, it survives the death of this process.
    durable: bool,
    /// Readers of the feed get a signal.
    notifies: bool,
    /// Deleted content does not live on in the log of pages.
    scrubs: bool,
}

/// One write: tried inside the transaction, answered when that is committed.
trait Order: Send {
    fn options(&self) -> WriteOptions;
    /// `false`: nothing of it may stay.
    fn attempt(&mut self, connection: &Connection) -> bool;
    fn answer(self: Box<Self>, committed: Result<(), LedgerFault>);
}

struct PendingWrite<F, T> {
    options: WriteOptions,
    statement: Option<F>,
    outcome: Option<Result<T, LedgerFault>>,
    receipt: Receipt<T>,
}

/// Writes in one transaction.
const BATCH: usize = 256;

// === impl WriteOptions ===

impl WriteOptions {
    pub(super) const NONE: Self = Self { durable: false, notifies: false, scrubs: false };
    pub(super) const DURABLE: Self = Self { durable: true, ..Self::NONE };
    pub(super) const NOTIFYING: Self = Self { notifies: true, ..Self::DURABLE };
    pub(super) const SCRUBBED: Self = Self { scrubs: true, ..Self::DURABLE };
}

impl BitOr for WriteOptions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            durable: self.durable | other.durable,
            notifies: self.notifies | other.notifies,
            scrubs: self.scrubs | other.scrubs,
        }
    }
}

// === impl Writer ===

impl Writer {
    pub(super) fn start(
        connection: Connection,
        changed: Arc<watch::Sender<()>>,
    ) -> io::Result<Self> {
        let work = move |inbox| run(&connection, inbox, &changed);
        Thread::start("ledger-write", work).map(Self)
    }

    /// Runs the statements in a transaction and returns when they are committed. A fault undoes
    /// them, and them alone.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        options: WriteOptions,
        statement: impl FnOnce(&Connection) -> Result<T, LedgerFault> + Send + 'static,
    ) -> Result<T, LedgerFault> {
        let asked = |receipt| -> Box<dyn Order> {
            Box::new(PendingWrite { options, statement: Some(statement), outcome: None, receipt })
        };
        self.0.ask(asked).await
    }
}

fn run(
    connection: &Connection,
    mut inbox: mpsc::Receiver<Box<dyn Order>>,
    changed: &watch::Sender<()>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    // As the connection was opened.
    let mut durable = true;
    while recv_many(&mut inbox, &mut batch, BATCH) {
        let options = batch.iter().fold(WriteOptions::NONE, |all, order| all | order.options());
        let committed = commit(connection, (&mut durable, options.durable), &mut batch);
        if committed.is_ok() && options.scrubs {
            scrub(connection);
        }
        for order in batch.drain(..) {
            order.answer(committed.clone());
        }
        if options.notifies {
            changed.send_replace(());
        }
    }
}

/// One transaction. `is`: whether commits wait for the disk; `shall`: whether this one must.
fn commit(
    connection: &Connection,
    (is, shall): (&mut bool, bool),
    batch: &mut [Box<dyn Order>],
) -> Result<(), LedgerFault> {
    if *is != shall {
        // NORMAL does not wait for the disk; the next FULL commit takes along what was before it.
        let synchronous = if shall { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        *is = shall;
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    if let [alone] = batch {
        if alone.attempt(&transaction) {
            transaction.commit()?;
        }
        // Dropped, it is rolled back.
        return Ok(());
    }
    for order in batch {
        transaction.prepare_cached("SAVEPOINT one")?.execute(())?;
        if !order.attempt(&transaction) {
            transaction.prepare_cached("ROLLBACK TO one")?.execute(())?;
        }
        transaction.prepare_cached("RELEASE one")?.execute(())?;
    }
    Ok(transaction.commit()?)
}

/// Moves everything from the log into the file, where deleted rows are zeros, and empties the log.
/// A reader in another process may forbid it; its time will come with the next one.
fn scrub(connection: &Connection) {
    let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    if let Err(error) = emptied {
        tracing::debug!(%error, "the log of pages is not emptied yet");
    }
}

// === impl PendingWrite ===

impl<F, T> Order for PendingWrite<F, T>
where
    F: FnOnce(&Connection) -> Result<T, LedgerFault> + Send,
    T: Send,
{
    fn options(&self) -> WriteOptions {
        self.options
    }

    fn attempt(&mut self, connection: &Connection) -> bool {
        self.outcome = self.statement.take().map(|statement| statement(connection));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), LedgerFault>) {
        let never = || Err(LedgerFault::Down("the write was not tried".into()));
        let outcome = match committed {
            Ok(()) => self.outcome.unwrap_or_else(never),
            Err(fault) => Err(fault),
        };
        // Whoever asked may have gone away.
        let _ = self.receipt.send(outcome);
    }
}
