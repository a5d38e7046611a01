//! The revocations that custody has reported.
//!
//! It takes hold on every request: a revoked session and the kill switch stop all of them, a revoked
//! handle and a state that is too old those that take a credential along.
//!
//! The state begins with the configuration, not with custody's first answer. Until that comes, what is
//! cached was leased since, and custody looked at its revocations when it did. So a first request need
//! not wait for it, and no lease is used on an update older than the bound.

use super::revoked::Revoked;
use crate::clock::Now;
use crate::policy::custody::SyncSettings;
use crate::policy::denial::Denial;
use lease::{SyncAnswer, SyncKind};
use session::Session;
use std::time::Duration;

/// Off where the edge does not poll custody, or there is no custody: then nothing is revoked here.
#[derive(Default)]
pub struct RevocationState {
    max_staleness: Option<Duration>,
    /// When the last update from custody came, by the steady clock.
    heard: Duration,
    cursor: Option<String>,
    kill_switch: bool,
    sessions: Revoked,
    leases: Revoked,
    handles: Revoked,
}

// === impl RevocationState ===

impl RevocationState {
    pub fn new(settings: Option<&SyncSettings>, now: Now) -> Self {
        let max_staleness = settings.map(|settings| settings.max_staleness);
        Self { max_staleness, heard: now.steady, ..Self::default() }
    }

    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    pub fn age(&self, now: Now) -> Duration {
        now.steady.saturating_sub(self.heard)
    }

    /// For every request.
    ///
    /// # Errors
    /// [`Denial::KillSwitch`], [`Denial::SessionRevoked`].
    pub fn check_session(&self, session: &Session) -> Result<(), Denial> {
        if self.kill_switch {
            return Err(Denial::KillSwitch);
        }
        // The name is a claim to be looked up: not for nothing.
        if !self.sessions.is_empty() && self.sessions.contains(session.id()) {
            return Err(Denial::SessionRevoked);
        }
        Ok(())
    }

    /// For a request that takes a credential along.
    ///
    /// # Errors
    /// [`Denial::RevocationsStale`], [`Denial::HandleRevoked`].
    pub fn check_credential(&self, handle: &str, now: Now) -> Result<(), Denial> {
        if self.max_staleness.is_some_and(|most| self.age(now) > most) {
            return Err(Denial::RevocationsStale);
        }
        if self.is_revoked_handle(handle) { Err(Denial::HandleRevoked) } else { Ok(()) }
    }

    pub fn is_revoked_handle(&self, handle: &str) -> bool {
        self.handles.contains(handle)
    }

    pub fn is_revoked_lease(&self, lease_id: &str) -> bool {
        self.leases.contains(lease_id)
    }

    /// An update from custody has come.
    pub fn apply(&mut self, answer: SyncAnswer, now: Now) {
        let SyncAnswer { cursor, full, kill_switch, changes } = answer;
        if full {
            self.sessions = Revoked::default();
            self.leases = Revoked::default();
            self.handles = Revoked::default();
        }
        for change in changes {
            match change.kind {
                SyncKind::Session => self.sessions.apply(change),
                SyncKind::Lease => self.leases.apply(change),
                SyncKind::Handle => self.handles.apply(change),
            }
        }
        for revoked in [&mut self.sessions, &mut self.leases, &mut self.handles] {
            revoked.forget_until(now.unix());
        }
        self.kill_switch = kill_switch;
        self.cursor = Some(cursor);
        self.heard = now.steady;
    }
}
