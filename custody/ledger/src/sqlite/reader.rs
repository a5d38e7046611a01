//! One thread that reads: what waits together is one transaction.

use super::thread::{Receipt, Thread};
use crate::LedgerFault;
use custody_base::batch::recv_many;
use rusqlite::Connection;
use std::io;
use tokio::sync::mpsc;

/// The way to the thread.
pub(super) struct Reader(Thread<Question>);

type Question = Box<dyn FnOnce(Result<&Connection, LedgerFault>) + Send>;

/// Questions in one transaction.
const BATCH: usize = 256;

// === impl Reader ===

impl Reader {
    pub(super) fn start(name: &str, connection: Connection) -> io::Result<Self> {
        Thread::start(name, move |questions| run(&connection, questions)).map(Self)
    }

    /// Sees one moment of the ledger, with everything that was committed before it was called.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, LedgerFault> + Send + 'static,
    ) -> Result<T, LedgerFault> {
        let asked = |receipt: Receipt<T>| -> Question {
            Box::new(move |moment| _ = receipt.send(moment.and_then(question)))
        };
        self.0.ask(asked).await
    }
}

/// A transaction's locks cost more than most questions.
fn run(connection: &Connection, mut questions: mpsc::Receiver<Question>) {
    let mut batch = Vec::with_capacity(BATCH);
    while recv_many(&mut questions, &mut batch, BATCH) {
        // Its moment is that of the first statement in it. Dropped, it ends.
        let moment = connection.unchecked_transaction().map_err(LedgerFault::from);
        for question in batch.drain(..) {
            question(moment.as_deref().map_err(Clone::clone));
        }
    }
}
