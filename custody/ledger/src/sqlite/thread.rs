//! A thread that SQLite blocks in place of the async ones.

use crate::LedgerFault;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The way to it. Dropping it lets the thread finish what is waiting, and waits for that.
pub(super) struct Thread<T> {
    /// `None` only while it is dropped.
    inbox: Option<mpsc::Sender<T>>,
    handle: Option<JoinHandle<()>>,
}

/// By which the thread answers. The caller may have gone away.
pub(super) type Receipt<A> = oneshot::Sender<Result<A, LedgerFault>>;

/// From a call to its answer, the wait in the queue with it. Less than a lease may take, so that the
/// audit log has the reason of its absence.
const LIMIT: Duration = Duration::from_secs(4);
/// Orders that may wait at once; more wait for a place.
const QUEUE: usize = 1024;

// === impl Thread ===

impl<T: Send + 'static> Thread<T> {
    pub(super) fn start(
        name: &str,
        work: impl FnOnce(mpsc::Receiver<T>) + Send + 'static,
    ) -> io::Result<Self> {
        let (inbox, orders) = mpsc::channel(QUEUE);
        let handle = std::thread::Builder::new().name(name.into()).spawn(move || work(orders))?;
        Ok(Self { inbox: Some(inbox), handle: Some(handle) })
    }

    /// Gives the thread an order and waits for its answer; not for ever, should the disk hang or
    /// another process hold the file. The statement may be done all the same.
    pub(super) async fn ask<A>(
        &self,
        order: impl FnOnce(Receipt<A>) -> T,
    ) -> Result<A, LedgerFault> {
        let gone = || LedgerFault::Down("its thread has ended".into());
        let inbox = self.inbox.as_ref().ok_or_else(gone)?;
        let (receipt, answer) = oneshot::channel();
        let answered = async {
            inbox.send(order(receipt)).await.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        };
        let late = || LedgerFault::Down(format!("it did not answer within {LIMIT:?}"));
        timeout(LIMIT, answered).await.map_err(|_| late())?
    }
}

impl<T> Drop for Thread<T> {
    fn drop(&mut self) {
        self.inbox = None;
        if let Some(handle) = self.handle.take() {
            // One that panicked has printed why.
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thread_that_hangs_is_a_fault_for_whoever_asks() {
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let thread: Thread<Receipt<()>> = Thread::start("hangs", move |orders| {
            // Until the test ends.
            let _ = held.recv();
            drop(orders);
        })
        .unwrap();
        for _ in 0..3 {
            let fault = thread.ask(|receipt| receipt).await;
            assert!(matches!(fault, Err(LedgerFault::Down(_))), "{fault:?}");
        }
        drop(let_go);
    }
}
