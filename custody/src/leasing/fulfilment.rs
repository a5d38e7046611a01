//! A granted, reserved and audited request gets its credential.

use super::caller::Caller;
use super::case::{Case, Read};
use super::failure::Failure;
use super::life::Life;
use super::reason::RefusalReason;
use super::reservation::Hold;
use super::{Leasing, Refused};
use async_trait::async_trait;
use custody_audit::Entry;
use custody_backends::resolver::{
    Answered, AttemptBudget, End, Failure as SourceFailure, Unresolved,
};
use custody_backends::{Asked, BackendFault};
use custody_base::credential::Resolved;
use custody_base::credential::SecretOrigin;
use custody_ledger::{Attempt, LeaseRow, Ledger, LedgerFault, NewLease, Recorded};
use lease::{Lease, LeaseHeader};
use std::sync::Arc;
use tokio::time::Instant;

/// A credential that fits, ready to leave.
struct Ready {
    headers: Vec<LeaseHeader>,
    life: Life,
    backend: String,
    revocation: Option<String>,
    made_from: Vec<SecretOrigin>,
}

/// How often a value is looked for whose secret, handle or actor changes meanwhile.
const MOST_TRIES: usize = 3;

// === impl Leasing ===

impl Leasing {
    /// The lease. It leaves only if somebody waits for it, nothing was revoked or replaced while a
    /// backend took its time, and the reservation is still this request's. What was replaced is looked
    /// for again.
    pub(super) async fn fulfil(
        &self,
        case: &mut Case,
        hold: &Hold,
        caller: &Caller<'_>,
    ) -> Result<Lease, Failure> {
        for _ in 0..MOST_TRIES {
            let ready = self.obtain(case, hold, caller).await?;
            match self.let_go(case, hold, &ready, caller).await {
                Ok(()) => {
                    return Ok(Lease {
                        lease_id: case.lease_id.clone(),
                        expires_at: ready.life.expires_at,
                        renew_after: ready.life.renew_after(),
                        headers: ready.headers,
                        binding: case.claim.request.binding,
                    });
                }
                Err(failure) => {
                    self.parts.resolver.take_back([(ready.backend, ready.revocation)]);
                    if !matches!(failure, Failure::Stale) {
                        return Err(failure);
                    }
                }
            }
            case.read = self.read_again(case).await?;
        }
        Err(Failure::Stale)
    }

    async fn read_again(&self, case: &Case) -> Result<Read, Failure> {
        let asked_at = Instant::now();
        let access_state = self.access_state(&case.claim.session, &case.grant, &case.actor).await?;
        match access_state.blocker() {
            Some(blocker) => Err(Failure::Revoked(RefusalReason::Blocked(blocker))),
            None => Ok(Read::of(access_state, asked_at)),
        }
    }

    async fn obtain(
        &self,
        case: &Case,
        hold: &Hold,
        caller: &Caller<'_>,
    ) -> Result<Ready, Failure> {
        let (grant, request) = (&case.grant, &case.claim.request);
        let asked = Asked {
            actor: &case.actor,
            handle: &grant.handle,
            kind: None,
            destination: Some(&request.destination),
            session: Some(&request.session),
            narrow: &grant.narrow,
            until: case.life.expires_at,
            sealed: Some(&case.read.sealed),
        };
        let budget = WhileWaiting { hold, ledger: &*self.parts.ledger, caller };
        let resolving = self.parts.resolver.resolve(&asked, &budget);
        match tokio::time::timeout_at(caller.deadline(), resolving).await {
            Ok(Ok(answered)) => {
                self.sources_failed(case, &answered.failures);
                self.ready(case, answered)
            }
            Ok(Err(unresolved)) => {
                self.sources_failed(case, &unresolved.failures);
                Err(failure_of(unresolved, caller))
            }
            Err(_elapsed) => Err(Failure::CallerGone),
        }
    }

    fn sources_failed(&self, case: &Case, failures: &[SourceFailure]) {
        for failure in failures {
            self.parts.failures.report(&case.actor, &case.grant.handle, failure);
        }
    }

    /// Headers, and a life within the credential's own.
    fn ready(&self, case: &Case, answered: Answered) -> Result<Ready, Failure> {
        let Answered { backend, resolved, expires_at, failures: _ } = answered;
        let life = case.life.within(Some(expires_at), (self.parts.clock)());
        let headers = resolved.credential.headers();
        match (life, headers) {
            (Some(life), Ok(headers)) => {
                let Resolved { revocation, made_from, .. } = resolved;
                Ok(Ready { headers, life, backend, revocation, made_from })
            }
            (_, headers) => {
                let fault = match headers {
                    Err(fault) => BackendFault::Unreadable(fault.to_string()),
                    Ok(_) => BackendFault::Unfit("it has ended already"),
                };
                let reason = RefusalReason::from(&fault);
                let failure = SourceFailure { backend: backend.clone(), fault };
                self.sources_failed(case, &[failure]);
                self.parts.resolver.take_back([(backend, resolved.revocation)]);
                Err(Failure::Source(reason))
            }
        }
    }

    /// The last checks, the ledger's own record, and the reservation's release. The ledger decides
    /// in one transaction whether anything forbids the lease, however short a time the source took. The
    /// lease leaves right after it.
    async fn let_go(
        &self,
        case: &Case,
        hold: &Hold,
        ready: &Ready,
        caller: &Caller<'_>,
    ) -> Result<(), Failure> {
        let (claim, grant) = (&case.claim, &case.grant);
        let grants = self.parts.grants.current();
        if !Arc::ptr_eq(&grants, &case.grants)
            && !grants.covering(&claim.session, &claim.request).is_ok_and(|now| now.grant == *grant)
        {
            return Err(Failure::Revoked(RefusalReason::GrantsChanged));
        }
        if !caller.is_waiting() {
            return Err(Failure::CallerGone);
        }
        let (row, as_of, hold) = (&row(case, ready), case.read.as_of, hold.reservation());
        let lease = NewLease { row, as_of, made_from: &ready.made_from, hold };
        match self.parts.ledger.record(&lease).await? {
            Recorded::Written => Ok(()),
            Recorded::Stale => Err(Failure::Stale),
            Recorded::Lost => Err(Failure::Lost),
            Recorded::Blocked(blocker) => Err(Failure::Revoked(RefusalReason::Blocked(blocker))),
        }
    }

    pub(super) async fn failed(&self, case: &Case, failure: &Failure) -> Result<Lease, Refused> {
        match failure {
            Failure::Source(_) => {}
            Failure::CallerGone => tracing::debug!(lease_id = case.lease_id, "nobody waits"),
            other => {
                tracing::warn!(lease_id = case.lease_id, fault = %other, "failed to issue a lease")
            }
        }
        self.write(case.failed(failure)).await?;
        Err(failure.reason().answer().into())
    }

    /// The lease left the reservation, and whoever asked had hung up by then. Its value goes back.
    pub(super) async fn undelivered(&self, lease: Lease, request_id: Option<String>) {
        let row = self.row_of(&lease.lease_id).await.ok().flatten();
        self.parts.resolver.take_back(row.map(LeaseRow::source));
        let mut entry = Entry::lease_undelivered(lease.lease_id);
        entry.request_id = request_id;
        // The writer has logged why it could not be written, and there is nobody to tell.
        let _ = self.parts.audit.append(entry).await;
    }
}

fn failure_of(unresolved: Unresolved, caller: &Caller<'_>) -> Failure {
    let last = unresolved.failures.last().map(|failure| RefusalReason::from(&failure.fault));
    match unresolved.end {
        End::Ledger(fault) => fault.into(),
        End::Exhausted => Failure::Exhausted,
        End::Lost if !caller.is_waiting() => Failure::CallerGone,
        End::Lost => Failure::Lost,
        End::Failed => Failure::Source(last.unwrap_or(RefusalReason::NoBackendAvailable)),
        End::NoBackendAvailable(_) => Failure::Source(RefusalReason::NoBackendAvailable),
    }
}

/// The attempts that a hold has left, as long as somebody waits for them.
struct WhileWaiting<'a> {
    hold: &'a Hold,
    ledger: &'a dyn Ledger,
    caller: &'a Caller<'a>,
}

#[async_trait]
impl AttemptBudget for WhileWaiting<'_> {
    async fn spend(&self) -> Result<Attempt, LedgerFault> {
        if self.caller.is_waiting() {
            self.hold.spend(self.ledger).await
        } else {
            Ok(Attempt::Lost)
        }
    }
}

fn row(case: &Case, ready: &Ready) -> LeaseRow {
    let (claim, grant) = (&case.claim, &case.grant);
    LeaseRow {
        lease_id: case.lease_id.clone(),
        session: claim.session.id().to_owned(),
        subject: claim.session.subject().unwrap_or_default().to_owned(),
        actor: case.actor.clone(),
        handle: grant.handle.clone(),
        destination: claim.request.destination.to_string(),
        binding: claim.request.binding,
        issued_at: claim.now,
        expires_at: ready.life.expires_at,
        backend: ready.backend.clone(),
        revocation: ready.revocation.clone(),
        outcome: None,
    }
}
