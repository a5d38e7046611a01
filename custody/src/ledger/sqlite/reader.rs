//! One thread that reads.

use super::LedgerFault;
use super::thread::{Receipt, Thread};
use rusqlite::Connection;
use std::io;

/// The way to the thread.
pub(super) struct Reader(Thread<Question>);

type Question = Box<dyn FnOnce(&Connection) + Send>;

// === impl Reader ===

impl Reader {
    pub(super) fn start(name: &str, connection: Connection) -> io::Result<Self> {
        let thread = Thread::start(name, move |mut questions| {
            while let Some(question) = questions.blocking_recv() {
                let question: Question = question;
                question(&connection);
            }
        })?;
        Ok(Self(thread))
    }

    /// Sees everything that was committed before it was called.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, LedgerFault> + Send + 'static,
    ) -> Result<T, LedgerFault> {
        let asked = |receipt: Receipt<T>| -> Question {
            Box::new(move |connection| _ = receipt.send(question(connection)))
        };
        self.0.ask(asked).await
    }
}
