//! The revocations, the kill switch, and the feed of both to the edges.
//!
//! Changes are numbered. A reader asks for the changes after an earlier [`Feed::cursor`]. For an
//! unknown cursor (another ledger's, or older than the kept changes) the ledger returns the whole
//! state, and never an empty answer.

use super::{LedgerFault, Row};
use async_trait::async_trait;
use custody_base::actor::Actor;
use lease::{Handle, UnixSeconds};
use std::time::Duration;

/// The target of a revocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// By `session::Session::id`.
    Session(String),
    Lease(String),
    Handle(Handle),
    Actor(Actor),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    pub target: Target,
    pub at: UnixSeconds,
    /// When the ledger may delete it, because its target has ended by then; `None`: until restored.
    pub until: Option<UnixSeconds>,
    /// The name on the operator's certificate, or `idle`.
    pub by: String,
}

/// One numbered change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Revoked {
        target: Target,
        until: Option<UnixSeconds>,
    },
    Restored {
        target: Target,
    },
    KillSwitch {
        on: bool,
    },
    /// Everything stored of this actor was deleted. It may store new ones.
    TornDown {
        actor: Actor,
    },
}

/// The answer to a reader of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Opaque, 1 to 64 visible ASCII characters.
    pub cursor: String,
    /// `changes` are the whole state, and the reader drops its own.
    pub full: bool,
    /// As of `cursor`, even if the changes differ.
    pub kill_switch: bool,
    pub changes: Vec<Change>,
}

/// The answer to the edges' reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedUpdate {
    pub feed: Feed,
    /// The revocations of handles and actors that are in force, if the changes concern them
    /// ([`Feed::concerns_handles`]); else none. Not older than the feed.
    pub revoked: Vec<Revocation>,
}

/// The session, handle and actor of a request for a lease.
#[derive(Clone, Copy, Debug)]
pub struct Claimant<'a> {
    pub session: &'a str,
    pub handle: &'a Handle,
    pub actor: &'a Actor,
}

/// The blockers of a lease, the last use of its session, and the stored credential, all of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessState {
    pub kill_switch: bool,
    pub session_revoked: bool,
    pub handle_revoked: bool,
    pub actor_revoked: bool,
    /// The number of the newest change.
    pub sequence: i64,
    /// When the session was last in use; `None` if never before.
    pub last_seen: Option<UnixSeconds>,
    /// The row of the sealed store for this actor and handle: most leases need it next.
    pub sealed: Option<Row>,
}

/// The blocker of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocker {
    KillSwitch,
    Session,
    Handle,
    Actor,
    Lease,
}

// === impl Feed ===

impl Feed {
    /// Does a change since the cursor revoke or restore a handle or an actor?
    pub fn concerns_handles(&self) -> bool {
        let concerns = |change: &Change| match change {
            Change::Revoked { target, .. } | Change::Restored { target } => {
                matches!(target, Target::Handle(_) | Target::Actor(_))
            }
            Change::KillSwitch { .. } | Change::TornDown { .. } => false,
        };
        !self.full && self.changes.iter().any(concerns)
    }
}

// === impl Blocker ===

impl Blocker {
    /// A word for the audit log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill_switch",
            Self::Session => "session_revoked",
            Self::Handle => "handle_revoked",
            Self::Actor => "actor_revoked",
            Self::Lease => "lease_revoked",
        }
    }
}

// === impl AccessState ===

impl AccessState {
    /// The blocker of a lease; of several the widest.
    pub fn blocker(&self) -> Option<Blocker> {
        let blockers = [
            (self.kill_switch, Blocker::KillSwitch),
            (self.session_revoked, Blocker::Session),
            (self.handle_revoked, Blocker::Handle),
            (self.actor_revoked, Blocker::Actor),
        ];
        blockers.into_iter().find(|(is_set, _)| *is_set).map(|(_, blocker)| blocker)
    }
}

#[async_trait]
pub trait Revocations {
    /// Asked for each lease; always the newest state, on every replica.
    async fn access_state(&self, claimant: Claimant<'_>) -> Result<AccessState, LedgerFault>;
    /// Revoking what is revoked is no error; the later `until` counts.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), LedgerFault>;
    /// Takes a revocation back; `false` if there was none. Restoring a session is use of it: it is
    /// seen at `now`, or its idle limit would end it again at once.
    async fn restore(&self, target: &Target, now: UnixSeconds) -> Result<bool, LedgerFault>;
    async fn set_kill_switch(&self, on: bool) -> Result<(), LedgerFault>;
    async fn kill_switch(&self) -> Result<bool, LedgerFault>;
    /// The revocations in force, newest first.
    async fn revoked(&self) -> Result<Vec<Revocation>, LedgerFault>;
    /// The changes since; the whole state if `cursor` is `None` or unknown.
    async fn changes(&self, cursor: Option<&str>) -> Result<Feed, LedgerFault>;
    /// As [`changes`](Self::changes), for the edges, by a reader that no list and no lease can delay.
    async fn feed_update(&self, cursor: Option<&str>) -> Result<FeedUpdate, LedgerFault>;
    /// Returns when something may have changed after `cursor`, or the time is up. Wakes within
    /// milliseconds of a change on any replica. By the reader of [`feed_update`](Self::feed_update).
    async fn wait(&self, cursor: &str, at_most: Duration) -> Result<(), LedgerFault>;
    /// Deletes revocations whose `until` has passed, and changes older than that; readers of before get
    /// the whole state. How many rows.
    async fn forget_revocations(&self, now: UnixSeconds) -> Result<u64, LedgerFault>;
}
