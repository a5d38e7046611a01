//! One thread that reads.

use super::LedgerFault;
use rusqlite::Connection;
use std::io;
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// The way to the thread.
pub(super) struct Reader {
    /// `None` only while it is dropped.
    questions: Option<mpsc::Sender<Question>>,
    thread: Option<JoinHandle<()>>,
}

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// Questions that may wait at once; more wait for a place.
const QUEUE: usize = 1024;

// === impl Reader ===

impl Reader {
    pub(super) fn start(name: &str, connection: Connection) -> io::Result<Self> {
        let (questions, mut inbox) = mpsc::channel::<Question>(QUEUE);
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            while let Some(question) = inbox.blocking_recv() {
                question(&connection);
            }
        })?;
        Ok(Self { questions: Some(questions), thread: Some(thread) })
    }

    /// Sees everything that was committed before it was called.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, LedgerFault> + Send + 'static,
    ) -> Result<T, LedgerFault> {
        let gone = || LedgerFault::Down("its reading thread has ended".into());
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |connection| {
            // Whoever asked may have gone away.
            let _ = answer.send(question(connection));
        });
        let questions = self.questions.as_ref().ok_or_else(gone)?;
        questions.send(question).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has printed why.
            let _ = thread.join();
        }
    }
}
