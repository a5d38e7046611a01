//! The one task of this process that follows the ledger's feed, for all edges that wait.
//!
//! It looks at the ledger while edges wait, and publishes a new [`Head`] at each change. Edges read the
//! head: a thousand that wait cost the ledger what one costs. An edge that arrives while the head is
//! older than its question asks for a look, and those that ask meanwhile share it.

use super::cursor;
use super::head::Head;
use crate::grants::{Grants, LiveGrants};
use custody_ledger::{Ledger, LedgerFault};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// The way to the task; dropping it ends the task.
pub(super) struct Tail {
    heads: watch::Receiver<Newest>,
    looked: watch::Receiver<Option<Instant>>,
    /// Edges that are being answered.
    pollers: watch::Sender<usize>,
    /// An edge wants a look that begins now.
    wanted: Arc<Notify>,
    task: JoinHandle<()>,
}

/// An edge that is being answered. The tail follows the ledger while there is one.
pub(super) struct WaitingPoller<'a>(&'a watch::Sender<usize>);

/// The head, or the fault of the last look. Changes with the feed, and when the ledger fails.
pub(super) type Newest = Result<Arc<Head>, LedgerFault>;

/// The state of the task.
struct Follower {
    ledger: Arc<dyn Ledger>,
    grants: Arc<LiveGrants>,
    heads: watch::Sender<Newest>,
    /// When the last look that is over began.
    looked: watch::Sender<Option<Instant>>,
    pollers: watch::Receiver<usize>,
    wanted: Arc<Notify>,
    head: Option<Arc<Head>>,
    /// The grants whose mark was worked out last.
    marked: Option<(Arc<Grants>, String)>,
}

/// The longest between two looks while edges wait. The ledger notifies of changes, or polls by itself, much
/// sooner; this bounds how old "nothing is new" can be.
const PULSE: Duration = Duration::from_secs(1);
/// Between two looks while the ledger fails and nobody asks.
const PAUSE: Duration = Duration::from_millis(250);

// === impl Tail ===

impl Tail {
    pub(super) fn start(ledger: Arc<dyn Ledger>, grants: Arc<LiveGrants>) -> Self {
        let unread = Err(LedgerFault::Down("the feed has not been read yet".into()));
        let (publish, heads) = watch::channel(unread);
        let (look, looked) = watch::channel(None);
        let (pollers, counted) = watch::channel(0);
        let wanted = Arc::new(Notify::new());
        let follower = Follower {
            ledger,
            grants,
            heads: publish,
            looked: look,
            pollers: counted,
            wanted: Arc::clone(&wanted),
            head: None,
            marked: None,
        };
        Self { heads, looked, pollers, wanted, task: tokio::spawn(follower.run()) }
    }

    /// An edge has come.
    pub(super) fn count_poller(&self) -> WaitingPoller<'_> {
        self.pollers.send_if_modified(|count| {
            *count += 1;
            *count == 1
        });
        WaitingPoller(&self.pollers)
    }

    pub(super) fn heads(&self) -> watch::Receiver<Newest> {
        self.heads.clone()
    }

    /// Returns when a look is over that began at this time or later.
    ///
    /// # Errors
    /// The task has ended. A look that failed is found at the head.
    pub(super) async fn look(&self, since: Instant) -> Result<(), LedgerFault> {
        let mut looked = self.looked.clone();
        let is_over = |began: &Option<Instant>| began.is_some_and(|began| began >= since);
        if is_over(&looked.borrow_and_update()) {
            return Ok(());
        }
        self.wanted.notify_one();
        looked.wait_for(is_over).await.map(drop).map_err(|_| ended())
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn ended() -> LedgerFault {
    LedgerFault::Down("the task that follows the feed has ended".into())
}

impl Drop for WaitingPoller<'_> {
    fn drop(&mut self) {
        self.0.send_if_modified(|count| {
            *count -= 1;
            false
        });
    }
}

// === impl Follower ===

impl Follower {
    async fn run(mut self) {
        let mut reloads = self.grants.subscribe();
        loop {
            self.rest(&mut reloads).await;
            let began = Instant::now();
            // Before the look, so that no reload falls between.
            reloads.mark_unchanged();
            match self.look().await {
                Ok(head) => self.publish(head),
                Err(fault) => _ = self.heads.send_replace(Err(fault)),
            }
            self.looked.send_replace(Some(began));
        }
    }

    /// Returns when there may be something new for somebody.
    async fn rest(&mut self, reloads: &mut watch::Receiver<u64>) {
        let wanted = Arc::clone(&self.wanted);
        let wanted = wanted.notified();
        if *self.pollers.borrow_and_update() == 0 {
            tokio::select! {
                () = wanted => {}
                // The sender is gone, and this task with it, in a moment.
                _ = self.pollers.changed() => {}
            }
            return;
        }
        let failing = self.heads.borrow().is_err();
        let ledger = &self.ledger;
        let head = self.head.clone();
        let change = async {
            match head.filter(|_| !failing) {
                // Whether the ledger fails, the look says that follows.
                Some(head) if ledger.wait(head.feed(), PULSE).await.is_ok() => {}
                _ => tokio::time::sleep(PAUSE).await,
            }
        };
        tokio::select! {
            () = wanted => {}
            _ = reloads.changed() => {}
            () = change => {}
        }
    }

    async fn look(&mut self) -> Result<Arc<Head>, LedgerFault> {
        let grants = self.grants.current();
        let mark = self.mark(&grants);
        let known = self.head.as_ref().filter(|head| head.mark() == mark);
        let update = self.ledger.feed_update(known.map(|head| head.feed())).await?;
        match known {
            Some(head) if !update.feed.full && update.feed.cursor == head.feed() => {
                Ok(Arc::clone(head))
            }
            _ => Head::new(&update, grants, mark, self.head.as_deref()).map(Arc::new),
        }
    }

    fn mark(&mut self, grants: &Arc<Grants>) -> String {
        match &self.marked {
            Some((marked, mark)) if Arc::ptr_eq(marked, grants) => mark.clone(),
            _ => {
                let mark = cursor::mark(grants);
                self.marked = Some((Arc::clone(grants), mark.clone()));
                mark
            }
        }
    }

    /// Wakes the edges that wait, if the head is another one or there was none.
    fn publish(&mut self, head: Arc<Head>) {
        self.heads.send_if_modified(|newest| {
            let is_new = !newest.as_ref().is_ok_and(|known| Arc::ptr_eq(known, &head));
            if is_new {
                *newest = Ok(Arc::clone(&head));
            }
            is_new
        });
        self.head = Some(head);
    }
}
