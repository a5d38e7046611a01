//! Where the feed ends, and the answers that lead there, each encoded once.

use super::cursor::Cursor;
use super::sync_changes;
use crate::grants::Grants;
use bytes::Bytes;
use custody_ledger::{FeedUpdate, LedgerFault};
use lease::SyncAnswer;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// The newest state of the feed in this process. Never changes; another one follows it.
pub(super) struct Head {
    /// The ledger's own cursor, and the mark of the grants.
    feed: String,
    mark: String,
    /// The cursor of an edge that is up to date.
    cursor: String,
    grants: Arc<Grants>,
    /// For an edge that is up to date.
    nothing_new: Bytes,
    /// By the position of an edge (`None`: it needs the whole state).
    answers: Mutex<HashMap<Position, Arc<OnceCell<Bytes>>>>,
}

/// The ledger's cursor of an edge whose mark is the head's.
pub(super) type Position = Option<String>;

/// Positions whose answers are kept; more come together only where somebody makes cursors up.
const KEPT: usize = 64;

// === impl Head ===

impl Head {
    /// The head that the ledger's answer leads to. `before`: the head that the ledger was asked from, the
    /// position of most edges.
    pub(super) fn new(
        update: &FeedUpdate,
        grants: Arc<Grants>,
        mark: String,
        before: Option<&Self>,
    ) -> Result<Self, LedgerFault> {
        let feed = update.feed.cursor.clone();
        let cursor = Cursor { feed: &feed, mark: &mark }.to_string();
        let nothing_new = SyncAnswer {
            cursor: cursor.clone(),
            full: false,
            kill_switch: update.feed.kill_switch,
            changes: Vec::new(),
        };
        let nothing_new = encode(&nothing_new)?;
        let answers = Mutex::default();
        let head = Self { feed, mark, cursor, grants, nothing_new, answers };
        let answer = head.encode(update)?;
        if let Some(before) = before {
            head.keep(head.position(Some(&before.cursor)), &answer);
        }
        if update.feed.full {
            head.keep(None, &answer);
        }
        Ok(head)
    }

    pub(super) fn feed(&self) -> &str {
        &self.feed
    }

    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Is an edge with this cursor up to date?
    pub(super) fn is_at(&self, cursor: Option<&str>) -> bool {
        cursor == Some(&self.cursor)
    }

    pub(super) fn nothing_new(&self) -> Bytes {
        self.nothing_new.clone()
    }

    /// The position of an edge with this cursor. One whose handles were others' needs the whole state.
    pub(super) fn position(&self, cursor: Option<&str>) -> Position {
        let known = cursor.map(Cursor::parse).filter(|known| known.mark == self.mark);
        known.map(|known| known.feed.to_owned())
    }

    /// The answer to edges at this position, to be filled by the first; `None` if too many are cached.
    pub(super) fn answer(&self, position: &Position) -> Option<Arc<OnceCell<Bytes>>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers.get(position) {
            return Some(Arc::clone(answer));
        }
        if answers.len() >= KEPT && position.is_some() {
            return None;
        }
        Some(Arc::clone(answers.entry(position.clone()).or_default()))
    }

    fn keep(&self, position: Position, answer: &Bytes) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(position, Arc::new(OnceCell::new_with(Some(answer.clone()))));
    }

    /// The ledger's answer in the words of an edge. A handle may be revoked twice over, for itself and for
    /// its actor; after a change only the whole state of handles shows which revocations are left.
    pub(super) fn encode(&self, update: &FeedUpdate) -> Result<Bytes, LedgerFault> {
        let FeedUpdate { feed, revoked } = update;
        let changes = if feed.concerns_handles() {
            sync_changes::incremental(&feed.changes, revoked, &self.grants)
        } else {
            sync_changes::full(&feed.changes, &self.grants)
        };
        encode(&SyncAnswer {
            cursor: Cursor { feed: &feed.cursor, mark: &self.mark }.to_string(),
            full: feed.full,
            kill_switch: feed.kill_switch,
            changes,
        })
    }
}

fn encode(answer: &SyncAnswer) -> Result<Bytes, LedgerFault> {
    answer.encode().map(Bytes::from).map_err(|_| LedgerFault::Row("an answer of the feed"))
}
