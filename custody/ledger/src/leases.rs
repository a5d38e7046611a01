//! Which leases were given, and which sessions are awake.

use super::{Blocker, Closed, LedgerFault, Target};
use async_trait::async_trait;
use custody_base::actor::Actor;
use custody_base::credential::SecretOrigin;
use lease::{Binding, Handle, UnixSeconds};

/// One lease that was given. No field is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    pub lease_id: String,
    /// `session::Session::id`.
    pub session: String,
    pub subject: String,
    pub actor: Actor,
    pub handle: Handle,
    /// `api.github.com:443`.
    pub destination: String,
    pub binding: Binding,
    pub issued_at: UnixSeconds,
    pub expires_at: UnixSeconds,
    /// The backend that gave the value, and how it finds it again to revoke it.
    pub backend: String,
    pub revocation: Option<String>,
    /// The report of the edge; [`Reservations::settle`](super::Reservations::settle) writes it down.
    pub outcome: Option<ReportedOutcome>,
}

/// The outcome of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedOutcome {
    pub outcome: Closed,
    pub failure_code: Option<String>,
}

/// A lease that is about to leave custody, and what must still hold when it does.
#[derive(Clone, Copy, Debug)]
pub struct NewLease<'a> {
    pub row: &'a LeaseRow,
    /// [`AccessState::sequence`](super::AccessState::sequence) at its admission.
    pub as_of: i64,
    /// The stored secrets that its value is, or was made from.
    pub made_from: &'a [SecretOrigin],
    /// Key and holder of its reservation, which is released with it.
    pub hold: Option<(&'a [u8; 32], &'a str)>,
}

/// The result of recording a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    Written,
    /// Nothing is written: a secret that its value was made from was replaced or deleted, or its handle
    /// or actor was revoked, restored or torn down since its admission.
    Stale,
    /// Nothing is written: the holder does not hold the reservation.
    Lost,
    /// Nothing is written: this forbids the lease.
    Blocked(Blocker),
}

/// Which leases; a field that is `None` does not restrict.
#[derive(Clone, Debug, Default)]
pub struct LeaseFilter {
    pub session: Option<String>,
    pub lease_id: Option<String>,
    pub handle: Option<Handle>,
    pub actor: Option<Actor>,
    /// Only those that have not ended at this time.
    pub live_at: Option<UnixSeconds>,
    /// Those that end last first, at most so many.
    pub limit: u32,
}

/// A place among the leases of one target, which are in the order of their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeasePlace {
    pub expires_at: UnixSeconds,
    /// The ledger's own count of the lease.
    pub number: u64,
}

/// Some of the leases of one target, at most [`PAGE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasePage {
    pub leases: Vec<LeaseRow>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<LeasePlace>,
}

/// Leases of one [`LeasePage`]. So many are revoked in one transaction, and no lease waits long behind
/// it.
pub const PAGE: u32 = 1000;

/// Rows that one transaction deletes, so that no lease waits long behind it.
pub const FORGOTTEN_AT_ONCE: u32 = 1000;

// === impl NewLease ===

impl<'a> NewLease<'a> {
    /// A lease that only a revocation or the kill switch forbids.
    pub const fn of(row: &'a LeaseRow) -> Self {
        Self { row, as_of: i64::MAX, made_from: &[], hold: None }
    }
}

// === impl LeasePlace ===

impl LeasePlace {
    /// In front of every lease that has not ended at this time.
    pub fn live_at(now: UnixSeconds) -> Self {
        Self { expires_at: now.saturating_add(1), number: 0 }
    }
}

// === impl LeasePage ===

impl LeasePage {
    /// Of the leases of a page and the place of each.
    pub(super) fn of(found: Vec<(LeasePlace, LeaseRow)>) -> Self {
        let is_full = found.len() >= PAGE as usize;
        let next = found.last().map(|(place, _)| *place).filter(|_| is_full);
        Self { leases: found.into_iter().map(|(_, lease)| lease).collect(), next }
    }
}

// === impl LeaseRow ===

impl LeaseRow {
    /// Where its value came from, and how that finds it again.
    pub fn source(self) -> (String, Option<String>) {
        (self.backend, self.revocation)
    }
}

#[async_trait]
pub trait Leases {
    /// Writes the lease down, releases its reservation, and writes its session as seen at `issued_at`.
    /// The value leaves custody next, and nothing is asked in between. Only a release is durable when it
    /// returns: of other leases the audit record is. A lease of this id gets the new end, backend and
    /// revocation: a reservation that was opened again may have been served by another source.
    ///
    /// The same transaction checks the kill switch, the revocations of session, lease, handle and
    /// actor, and [`NewLease`]. Once `revoke`, `set_kill_switch`, `put`, `delete` or `wipe` has
    /// returned, no lease of what was before is written any more on any replica, and
    /// [`leases`](Self::leases) returns all that were written before. Idleness is not checked here: a
    /// session that was in use when the request came stays so, even if a source takes long.
    async fn record(&self, lease: &NewLease<'_>) -> Result<Recorded, LedgerFault>;
    async fn leases(&self, filter: &LeaseFilter) -> Result<Vec<LeaseRow>, LedgerFault>;
    /// The leases of a session, handle or actor, or the one of this id, that end after this place; in
    /// the order of their ends.
    async fn leases_after(
        &self,
        target: &Target,
        after: LeasePlace,
    ) -> Result<LeasePage, LedgerFault>;
    /// As [`leases_after`](Self::leases_after), but those alone that were issued until a time and are not
    /// revoked until their ends, and in the same transaction each is, by this operator or worker.
    async fn revoke_leases_after(
        &self,
        target: &Target,
        after: LeasePlace,
        issued_until: UnixSeconds,
        by: (UnixSeconds, &str),
    ) -> Result<LeasePage, LedgerFault>;
    /// These sessions were in use at `now`. One that was last seen at or before `idle_since` stays as
    /// it is: a session that ended by idling does not come back. Unknown ones are ignored.
    async fn mark_seen(
        &self,
        sessions: &[String],
        now: UnixSeconds,
        idle_since: UnixSeconds,
    ) -> Result<(), LedgerFault>;
    /// Deletes leases and settled reservations that ended, and sessions last seen, before this time.
    /// Returns how many rows it changed, which are at most [`FORGOTTEN_AT_ONCE`] of each kind; 0:
    /// nothing is left. A session in use that was looked at counts, and stays.
    async fn forget(&self, before: UnixSeconds) -> Result<u64, LedgerFault>;
}
