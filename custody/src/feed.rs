//! The feed: the revocations that edges poll, and the sessions that they report.
//!
//! The ledger has sessions, leases, handles and actors; an edge has the first three. Custody publishes a
//! revoked actor as its handles by the grants in force ([`sync_changes`]), so a change of the grants may be
//! an update too. The cursor carries a mark of the owners of the handles ([`cursor`]), and an edge with
//! another mark gets the whole state.
//!
//! One task follows the ledger for all edges ([`tail`]). An edge that is up to date waits for the next head
//! and gets bytes that were encoded once for all of them ([`head`]). One that is behind makes custody read
//! the ledger; edges that are behind alike share the answer.

mod cursor;
mod head;
mod sync_changes;
mod sync_request;
mod tail;

use crate::grants::LiveGrants;
use crate::limits::SessionLimits;
use bytes::Bytes;
use custody_base::clock::Clock;
use custody_ledger::{Ledger, LedgerFault};
use head::{Head, Position};
use lease::SeenReport;
use std::sync::Arc;
use std::time::Duration;
pub use sync_request::{SyncRequest, SyncRequestError};
use tail::Tail;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

/// Answers edges.
pub struct EdgeFeed {
    ledger: Arc<dyn Ledger>,
    tail: Tail,
    /// One read at a time for edges that are behind, so that the tail finds the ledger's readers free.
    behind: Semaphore,
    session_limits: SessionLimits,
    clock: Clock,
    closing: watch::Sender<bool>,
}

/// How long an edge that is behind waits for its turn.
const TURN: Duration = Duration::from_secs(5);

// === impl EdgeFeed ===

impl EdgeFeed {
    /// Starts the task that follows the ledger: to be called within a runtime.
    pub fn new(
        ledger: Arc<dyn Ledger>,
        grants: Arc<LiveGrants>,
        session_limits: SessionLimits,
        clock: Clock,
    ) -> Self {
        Self {
            tail: Tail::start(ledger.clone(), grants),
            ledger,
            behind: Semaphore::new(1),
            session_limits,
            clock,
            closing: watch::Sender::new(false),
        }
    }

    /// Edges that wait are answered now, with nothing new, so that custody can end.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// The encoded [`lease::SyncAnswer`]; returns when there is an update, or the time the edge gives is up.
    ///
    /// An answer is never older than its question: the ledger was looked at since, or the edge waited for the
    /// next head. Changes that were published before the edge began to wait are at the head already.
    ///
    /// # Errors
    /// The ledger failed. An edge without an answer denies by itself when its last update is too old.
    pub async fn answer(&self, sync_request: &SyncRequest) -> Result<Bytes, LedgerFault> {
        let arrived = std::time::Instant::now();
        let deadline = Instant::now() + sync_request.wait;
        let _edge = self.tail.count_poller();
        let mut closing = self.closing.subscribe();
        let mut heads = self.tail.heads();
        let cursor = sync_request.cursor.as_deref();
        let is_current = |head: &tail::Newest| head.as_ref().is_ok_and(|head| head.is_at(cursor));
        if sync_request.wait.is_zero() || !is_current(&heads.borrow_and_update()) {
            self.tail.look(arrived).await?;
        }
        if is_current(&heads.borrow_and_update()) {
            let next = async { heads.wait_for(|head| !is_current(head)).await.map(drop) };
            let closed = async { closing.wait_for(|closing| *closing).await.map(drop) };
            tokio::select! {
                next = next => next.map_err(|_| tail::ended())?,
                () = tokio::time::sleep_until(deadline) => self.tail.look(arrived).await?,
                _ = closed => {}
            }
        }
        let head = heads.borrow_and_update().clone()?;
        if head.is_at(cursor) { Ok(head.nothing_new()) } else { self.catch_up(&head, cursor).await }
    }

    /// Records the sessions that edges report as in use.
    ///
    /// # Errors
    /// The ledger failed.
    pub async fn seen(&self, report: &SeenReport) -> Result<(), LedgerFault> {
        let now = (self.clock)();
        let idle_since = self.session_limits.idle_since(now);
        self.ledger.mark_seen(&report.sessions, now, idle_since).await
    }

    /// The answer to an edge that is behind; one read for all edges at the same cursor.
    async fn catch_up(&self, head: &Head, cursor: Option<&str>) -> Result<Bytes, LedgerFault> {
        let position = head.position(cursor);
        match head.answer(&position) {
            Some(answer) => answer.get_or_try_init(|| self.read(head, &position)).await.cloned(),
            None => self.read(head, &position).await,
        }
    }

    async fn read(&self, head: &Head, position: &Position) -> Result<Bytes, LedgerFault> {
        let late = || LedgerFault::Down("too many edges ask for changes of long ago".into());
        let turn = timeout(TURN, self.behind.acquire()).await;
        let _turn = turn.map_err(|_| late())?.map_err(|_| late())?;
        let update = self.ledger.feed_update(position.as_deref()).await?;
        let answer = head.encode(&update)?;
        // Of the whole state one copy is kept, wherever those stand who get it.
        match head.answer(&None) {
            Some(full) if update.feed.full && position.is_some() => {
                full.get_or_try_init(|| async { Ok(answer) }).await.cloned()
            }
            _ => Ok(answer),
        }
    }
}
