//! Which backend answers, and what none of them can get around.
//!
//! A handle that names its sources is answered by its primary and, after any failure of that, its
//! backup. Any other is answered by the first registered backend that is capable, and by no other: a
//! denial or a failure never falls through. Each attempt is counted before it is made.
//!
//! For any answer of a backend: the credential has an end, that end has not come, and it is not behind
//! the lease's or the ceiling. A backend that panics or hangs has failed, and no more.

mod attempts;
mod bulk_revoke;

pub use attempts::{AttemptBudget, InMemory, MOST_ATTEMPTS};

use crate::{BackendFault, CredentialBackend, CredentialRequest};
use custody_base::actor::Actor;
use custody_base::clock::{self, Clock};
use custody_base::credential::{CredentialType, Resolved};
use custody_base::under_way;
use custody_ledger::{Attempt, LedgerFault};
use futures_util::FutureExt;
use lease::{Handle, LEASE_CEILING, UnixSeconds};
use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// A source behind which another waits must leave that one time: an edge waits two seconds.
pub const PRIMARY_LIMIT: Duration = Duration::from_secs(1);
/// Both together are shorter than a request may take, so that custody names, counts and reports a
/// source that hangs.
pub const LAST_LIMIT: Duration = Duration::from_millis(3_500);
/// A revocation has nobody waiting for it.
const REVOCATION_LIMIT: Duration = Duration::from_secs(10);

/// All backends, and the handles that name theirs.
pub struct Resolver {
    registered: Vec<Arc<dyn CredentialBackend>>,
    sources: BTreeMap<Handle, Sources>,
    clock: Clock,
    /// How many values of a backend may be taken back at once, by its name.
    revoking: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Where a handle's credential comes from.
#[derive(Clone)]
pub struct Sources {
    pub primary: Arc<dyn CredentialBackend>,
    /// Tried when the primary failed, under the same budget.
    pub backup: Option<Arc<dyn CredentialBackend>>,
}

/// A credential that may be leased.
pub struct Answered {
    /// [`CredentialBackend::name`]; with `resolved.revocation` it is what [`Resolver::revoke`] takes.
    pub backend: String,
    pub resolved: Resolved,
    /// In the future, and neither behind [`CredentialRequest::until`] nor further off than the ceiling.
    pub expires_at: UnixSeconds,
    /// The failures before it, for the notices.
    pub failures: Vec<Failure>,
}

/// There is no credential.
#[derive(Debug)]
pub struct Unresolved {
    /// In the order of the attempts.
    pub failures: Vec<Failure>,
    pub end: End,
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub backend: String,
    pub fault: BackendFault,
}

/// Why there was no further attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum End {
    #[error("every source failed")]
    Failed,
    #[error("{}", BackendFault::NoBackendAvailable { kind: *.0 })]
    NoBackendAvailable(Option<CredentialType>),
    #[error("no attempts are left")]
    Exhausted,
    /// Somebody else holds the reservation now.
    #[error("the reservation is lost")]
    Lost,
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
}

// === impl Resolver ===

impl Resolver {
    /// `registered`: the order in which backends are asked for handles that are not in `sources`.
    pub fn new(
        registered: Vec<Arc<dyn CredentialBackend>>,
        sources: BTreeMap<Handle, Sources>,
    ) -> Self {
        Self { registered, sources, clock: clock::system(), revoking: Mutex::default() }
    }

    /// With another clock than the machine's.
    pub fn by(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The credential.
    ///
    /// # Errors
    /// [`Unresolved`], with every attempt that was made.
    pub async fn resolve(
        &self,
        asked: &CredentialRequest<'_>,
        budget: &dyn AttemptBudget,
    ) -> Result<Answered, Unresolved> {
        let mut failures = Vec::new();
        let candidates = self.candidates(asked, &mut failures);
        if candidates.is_empty() {
            let end = match failures.is_empty() {
                true => End::NoBackendAvailable(asked.kind),
                false => End::Failed,
            };
            return Err(Unresolved { failures, end });
        }
        for (at, backend) in candidates.iter().enumerate() {
            let end = match budget.spend().await {
                Ok(Attempt::Counted(_)) => None,
                Ok(Attempt::Exhausted) => Some(End::Exhausted),
                Ok(Attempt::Lost) => Some(End::Lost),
                Err(fault) => Some(End::Ledger(fault)),
            };
            if let Some(end) = end {
                return Err(Unresolved { failures, end });
            }
            let limit = if at + 1 < candidates.len() { PRIMARY_LIMIT } else { LAST_LIMIT };
            match self.attempt(backend, asked, limit).await {
                Ok((resolved, expires_at)) => {
                    let backend = backend.name().to_owned();
                    return Ok(Answered { backend, resolved, expires_at, failures });
                }
                Err(fault) => {
                    failures.push(Failure { backend: backend.name().to_owned(), fault });
                }
            }
        }
        Err(Unresolved { failures, end: End::Failed })
    }

    /// Takes back what a backend gave, if it can. Only logs a failure, and ends in time.
    pub async fn revoke(&self, backend: &str, revocation: &str) {
        match self.named(backend) {
            Some(backend) => revoke(&backend, revocation).await,
            None => {
                tracing::warn!(backend, "failed to revoke: the backend is no longer configured")
            }
        }
    }

    /// An upstream refused what this backend gave for the handle: what the backend keeps of it is not
    /// given again.
    pub fn forget(&self, backend: &str, actor: &Actor, handle: &Handle) {
        if let Some(backend) = self.named(backend) {
            backend.forget(actor, handle);
        }
    }

    /// Has every backend end what it keeps and may not give any more ([`CredentialBackend::sweep`]).
    pub async fn sweep(&self) {
        let mut backends = BTreeMap::new();
        for Sources { primary, backup } in self.sources.values() {
            for backend in [Some(primary), backup.as_ref()].into_iter().flatten() {
                backends.insert(backend.name().to_owned(), Arc::clone(backend));
            }
        }
        for backend in backends.into_values() {
            if let Err(fault) = backend.sweep().await {
                let backend = backend.name();
                tracing::warn!(backend, %fault, "failed to look for tokens that ended");
            }
        }
    }

    fn named(&self, name: &str) -> Option<Arc<dyn CredentialBackend>> {
        let sources = self.sources.values();
        let all = sources.flat_map(|one| [Some(&one.primary), one.backup.as_ref()]).flatten();
        self.registered.iter().chain(all).find(|backend| backend.name() == name).cloned()
    }

    /// The backends to ask, in this order. A backend that panics over the question is not asked.
    fn candidates(
        &self,
        asked: &CredentialRequest<'_>,
        failures: &mut Vec<Failure>,
    ) -> Vec<&Arc<dyn CredentialBackend>> {
        let mut is_capable = |backend: &Arc<dyn CredentialBackend>| {
            let answer = std::panic::catch_unwind(AssertUnwindSafe(|| backend.is_capable(asked)));
            answer.unwrap_or_else(|_| {
                failures.push(Failure { backend: backend.name().to_owned(), fault: panicked() });
                false
            })
        };
        if let Some(Sources { primary, backup }) = self.sources.get(asked.handle) {
            let sources = [Some(primary), backup.as_ref()].into_iter().flatten();
            return sources.filter(|backend| is_capable(backend)).collect();
        }
        let first = self.registered.iter().find(|backend| is_capable(backend));
        // Of a backend that panicked nobody knows whether it was the first that is capable.
        first.filter(|_| failures.is_empty()).into_iter().collect()
    }

    async fn attempt(
        &self,
        backend: &Arc<dyn CredentialBackend>,
        asked: &CredentialRequest<'_>,
        limit: Duration,
    ) -> Result<(Resolved, UnixSeconds), BackendFault> {
        let resolving = AssertUnwindSafe(backend.resolve(asked)).catch_unwind();
        let resolved = match timeout(limit, resolving).await {
            Ok(Ok(resolved)) => resolved?,
            Ok(Err(_)) => return Err(panicked()),
            Err(_) => return Err(BackendFault::Down("it did not answer in time".into())),
        };
        match fit(&resolved, asked, (self.clock)()) {
            Ok(expires_at) => Ok((resolved, expires_at)),
            Err(fault) => {
                if let Some(revocation) = resolved.revocation {
                    let backend = Arc::clone(backend);
                    under_way::spawn(async move { revoke(&backend, &revocation).await });
                }
                Err(fault)
            }
        }
    }
}

fn panicked() -> BackendFault {
    BackendFault::Down("it panicked".into())
}

/// The end of the lease of this credential.
fn fit(
    resolved: &Resolved,
    asked: &CredentialRequest<'_>,
    now: UnixSeconds,
) -> Result<UnixSeconds, BackendFault> {
    let kind = resolved.credential.kind();
    if asked.kind.map_or(!kind.is_headers(), |asked| asked != kind) {
        return Err(BackendFault::Unfit("it is of another type than was asked for"));
    }
    let granted = &asked.restriction.scopes;
    if !granted.is_empty() && !resolved.scope.iter().all(|scope| granted.contains(scope)) {
        return Err(BackendFault::Unfit("its scope is wider than what was granted"));
    }
    let ceiling = now.saturating_add(LEASE_CEILING).min(asked.until);
    if ceiling <= now {
        return Err(BackendFault::Unfit("it came after its lease would have ended"));
    }
    let expires_at = resolved.expires_at.unwrap_or(ceiling).min(ceiling);
    if expires_at <= now {
        return Err(BackendFault::Unfit("it has ended already"));
    }
    Ok(expires_at)
}

async fn revoke(backend: &Arc<dyn CredentialBackend>, revocation: &str) {
    let revoking = AssertUnwindSafe(backend.revoke(revocation)).catch_unwind();
    match timeout(REVOCATION_LIMIT, revoking).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => {
            tracing::error!(backend = backend.name(), "the backend panicked in a revocation")
        }
        Err(_) => tracing::warn!(backend = backend.name(), "the revocation timed out"),
    }
}

// === impl Unresolved ===

impl Unresolved {
    /// A word for the audit log.
    pub fn code(&self) -> &'static str {
        match (&self.end, self.failures.last()) {
            (End::Failed, Some(failure)) => failure.fault.code(),
            (End::Failed, None) | (End::NoBackendAvailable(_), _) => "no_backend_available",
            (End::Exhausted, _) => "attempts_exhausted",
            (End::Lost, _) => "reservation_lost",
            (End::Ledger(_), _) => "ledger_down",
        }
    }
}

#[cfg(test)]
mod tests;
