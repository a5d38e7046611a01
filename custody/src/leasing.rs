//! The decision on a lease: verify, match, reserve, audit, and only then resolve.
//!
//! The order is the point (invariant 5), and [`Leasing::decide`] is where it can be read. What costs
//! nothing comes first; nothing is written before the session is verified and granted; no backend is
//! asked before the audit record is durable; no value leaves while the ledger or the audit log
//! fails.
//!
//! A lease is worked out on a task of its own ([`Leasing::lease`]): whoever asked may hang up, what
//! was begun is brought to an end, and the audit log says how it ended.

mod admission;
mod failure;
mod fulfilment;
mod life;
mod operation;
mod outcome;
mod reason;
mod refused;
mod request;
mod reservation;
mod response_waiter;

use crate::failures::Failures;
use crate::grants::LiveGrants;
use crate::keys::SessionKeys;
use crate::limits::{Buckets, Limits, SessionLimits};
use crate::metrics::Metrics;
use custody_audit::sampling::Sampler;
use custody_audit::{AuditLog, Entry};
use custody_backends::resolver::{LAST_LIMIT, PRIMARY_LIMIT, Resolver};
use custody_base::clock::Clock;
use custody_base::under_way;
use custody_ledger::Ledger;
use lease::{Lease, RefusalCode};
pub use reason::RefusalReason;
pub use refused::Refused;
use response_waiter::ResponseWaiter;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// From the first look at a request to its answer; whoever waits longer is answered 503.
pub const TIME_LIMIT: Duration = Duration::from_secs(5);
// A primary source that hangs leaves its backup time.
const _: () = assert!(PRIMARY_LIMIT.as_millis() + LAST_LIMIT.as_millis() < TIME_LIMIT.as_millis());

/// Gives leases.
pub struct Leasing {
    parts: Parts,
    per_session: Option<Buckets>,
    per_handle: Option<Buckets>,
    /// Of sessions that did not verify, and of sessions that ask too often.
    refused: Sampler,
    limited: Sampler,
}

/// What leasing is made of.
pub struct Parts {
    pub keys: SessionKeys,
    pub session_limits: SessionLimits,
    pub limits: Limits,
    pub grants: Arc<LiveGrants>,
    pub ledger: Arc<dyn Ledger>,
    pub resolver: Arc<Resolver>,
    pub failures: Failures,
    pub audit: AuditLog,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
}

// === impl Leasing ===

impl Leasing {
    pub fn new(parts: Parts) -> Self {
        let now = std::time::Instant::now();
        Self {
            per_session: parts.limits.per_session.map(Buckets::new),
            per_handle: parts.limits.per_handle.map(Buckets::new),
            refused: Sampler::new(now),
            limited: Sampler::new(now),
            parts,
        }
    }

    /// Answers the body of `POST /v1/leases`. Dropping the future stops nothing that was begun; the
    /// `place` among the requests worked on at once is held until it has ended.
    ///
    /// # Errors
    /// [`Refused`]; what the edge is told of it is only the code.
    pub async fn lease(
        self: &Arc<Self>,
        body: Zeroizing<Vec<u8>>,
        request_id: Option<String>,
        place: OwnedSemaphorePermit,
    ) -> Result<Lease, Refused> {
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + TIME_LIMIT;
        let leasing = Arc::clone(self);
        under_way::spawn(async move {
            let waiter = ResponseWaiter::new(&answer, deadline);
            let decided = leasing.decide(&body, request_id.clone(), &waiter).await;
            if let Err(Ok(lease)) = answer.send(decided) {
                leasing.undelivered(lease, request_id).await;
            }
            drop(place);
        });
        match tokio::time::timeout_at(deadline, answered).await {
            Ok(Ok(decided)) => decided,
            // It took too long, or it panicked.
            Ok(Err(_)) | Err(_) => Err(RefusalCode::Unavailable.into()),
        }
    }

    async fn decide(
        &self,
        body: &[u8],
        request_id: Option<String>,
        waiter: &ResponseWaiter<'_>,
    ) -> Result<Lease, Refused> {
        // Who asks, and may they? Nothing is written but denials.
        let mut admitted = self.admit(body, request_id).await?;
        // Is this the one time? Nothing has been asked of a backend yet.
        let guard = self.reserve(&mut admitted).await?;
        // What is going to happen is in the audit log before it happens.
        if let Err(refused) = self.write(admitted.allowed()).await {
            guard.give_up(&*self.parts.ledger).await;
            return Err(refused);
        }
        match self.fulfil(&mut admitted, &guard, waiter).await {
            Ok(lease) => Ok(lease),
            Err(failure) => {
                guard.give_up(&*self.parts.ledger).await;
                self.failed(&admitted, &failure).await
            }
        }
    }

    /// No durable record, no answer but this.
    async fn write(&self, entry: Entry) -> Result<(), Refused> {
        self.parts.audit.append(entry).await.map_err(|_| RefusalCode::Unavailable.into())
    }
}
