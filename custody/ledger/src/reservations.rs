//! Reservations: an operation is authorised once, and its attempts are counted before they are made.
//!
//! ```text
//!            open                attempt x n         record the lease
//!  (none) ─────────> held ──────────────────> held ──────────────> released ──> settled
//!                      │ every source failed, or the holder died (held_until)
//!                      └──────────> idle ──open, if attempts are left──> held
//! ```
//! A request that opens a held or released reservation is a replay. One that is idle (its holder failed
//! or died before a value was released) may be opened again by the same operation, with the attempts
//! that are left, and no more: a crash refunds none.

use super::LedgerFault;
use async_trait::async_trait;
use lease::{Handle, UnixSeconds};

/// The reserved operation.
#[derive(Clone, Debug)]
pub struct Reservation {
    /// Digest of issuer, session, handle, destination and fingerprint: the operation.
    pub key: [u8; 32],
    /// The lease it leads to. If the operation was opened before, the ledger's own id stays.
    pub lease_id: String,
    pub session: String,
    pub handle: Handle,
    pub destination: String,
    pub purpose: String,
    /// Attempts there are for all sources together.
    pub budget: u32,
    /// Random; only the holder attempts, releases and closes.
    pub holder: String,
    pub now: UnixSeconds,
    /// A holder that is silent until then is dead.
    pub held_until: UnixSeconds,
    /// When the ledger may delete the reservation: not before the session has ended.
    pub keep_until: UnixSeconds,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The caller holds it. `attempts` were made before.
    Held { lease_id: String, attempts: u32 },
    /// Held by another, released, settled, or out of attempts.
    Replayed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The attempt of this number (from 1) may be made; it is counted, durably.
    Counted(u32),
    /// The budget is spent.
    Exhausted,
    /// The caller holds it no longer.
    Lost,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The upstream took the request.
    Accepted,
    /// The upstream answered.
    Delivered,
    Failed,
}

// === impl Closed ===

impl Closed {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Now,
    /// It was settled before; the first outcome stays.
    Before,
    /// There is no such lease, or it has not been released.
    Unknown,
}

#[async_trait]
pub trait Reservations {
    /// Atomic: of any number of callers at once, on any number of replicas, one holds it.
    async fn open(&self, reservation: &Reservation) -> Result<Opened, LedgerFault>;
    async fn attempt(&self, key: &[u8; 32], holder: &str) -> Result<Attempt, LedgerFault>;
    /// The holder gives up; what attempts are left may be made by a later caller.
    async fn give_up(&self, key: &[u8; 32], holder: &str) -> Result<(), LedgerFault>;
    /// The outcome of the operation, or of a lease that is bound to its session.
    async fn settle(
        &self,
        lease_id: &str,
        outcome: Closed,
        failure_code: Option<&str>,
        now: UnixSeconds,
    ) -> Result<Settled, LedgerFault>;
}
