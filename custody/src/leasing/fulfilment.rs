//! A granted, reserved and audited request gets its credential.

use super::failure::Failure;
use super::life::Life;
use super::reason::RefusalReason;
use super::request::{AdmittedRequest, Read};
use super::reservation::ReservationGuard;
use super::response_waiter::ResponseWaiter;
use super::{Leasing, Refused};
use async_trait::async_trait;
use custody_audit::Entry;
use custody_backends::resolver::{
    Answered, AttemptBudget, End, Failure as SourceFailure, Unresolved,
};
use custody_backends::{BackendFault, CredentialRequest};
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
        admitted: &mut AdmittedRequest,
        guard: &ReservationGuard,
        waiter: &ResponseWaiter<'_>,
    ) -> Result<Lease, Failure> {
        for _ in 0..MOST_TRIES {
            let ready = self.obtain(admitted, guard, waiter).await?;
            match self.commit(admitted, guard, &ready, waiter).await {
                Ok(()) => {
                    return Ok(Lease {
                        lease_id: admitted.lease_id.clone(),
                        expires_at: ready.life.expires_at,
                        renew_after: ready.life.renew_after(),
                        headers: ready.headers,
                        binding: admitted.authenticated.request.binding,
                    });
                }
                Err(failure) => {
                    self.parts.resolver.revoke_all([(ready.backend, ready.revocation)]);
                    if !matches!(failure, Failure::Stale) {
                        return Err(failure);
                    }
                }
            }
            admitted.read = self.read_again(admitted).await?;
        }
        Err(Failure::Stale)
    }

    async fn read_again(&self, admitted: &AdmittedRequest) -> Result<Read, Failure> {
        let asked_at = Instant::now();
        let access_state = self
            .access_state(&admitted.authenticated.session, &admitted.grant, &admitted.actor)
            .await?;
        match access_state.blocker() {
            Some(blocker) => Err(Failure::Revoked(RefusalReason::Blocked(blocker))),
            None => Ok(Read::of(access_state, asked_at)),
        }
    }

    async fn obtain(
        &self,
        admitted: &AdmittedRequest,
        guard: &ReservationGuard,
        waiter: &ResponseWaiter<'_>,
    ) -> Result<Ready, Failure> {
        let (grant, request) = (&admitted.grant, &admitted.authenticated.request);
        let asked = CredentialRequest {
            actor: &admitted.actor,
            handle: &grant.handle,
            kind: None,
            destination: Some(&request.destination),
            session: Some(&request.session),
            restriction: &grant.restriction,
            until: admitted.life.expires_at,
            sealed: Some(&admitted.read.sealed),
        };
        let budget = WhileWaiting { guard, ledger: &*self.parts.ledger, waiter };
        let resolving = self.parts.resolver.resolve(&asked, &budget);
        match tokio::time::timeout_at(waiter.deadline(), resolving).await {
            Ok(Ok(answered)) => {
                self.sources_failed(admitted, &answered.failures);
                self.ready(admitted, answered)
            }
            Ok(Err(unresolved)) => {
                self.sources_failed(admitted, &unresolved.failures);
                Err(failure_of(unresolved, waiter))
            }
            Err(_elapsed) => Err(Failure::CallerGone),
        }
    }

    fn sources_failed(&self, admitted: &AdmittedRequest, failures: &[SourceFailure]) {
        for failure in failures {
            self.parts.failures.report(&admitted.actor, &admitted.grant.handle, failure);
        }
    }

    /// Headers, and a life within the credential's own.
    fn ready(&self, admitted: &AdmittedRequest, answered: Answered) -> Result<Ready, Failure> {
        let Answered { backend, resolved, expires_at, failures: _ } = answered;
        let life = admitted.life.within(Some(expires_at), (self.parts.clock)());
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
                self.sources_failed(admitted, &[failure]);
                self.parts.resolver.revoke_all([(backend, resolved.revocation)]);
                Err(Failure::Source(reason))
            }
        }
    }

    /// The last checks, the ledger's own record, and the reservation's release. The ledger decides
    /// in one transaction whether anything forbids the lease, however short a time the source took. The
    /// lease leaves right after it.
    async fn commit(
        &self,
        admitted: &AdmittedRequest,
        guard: &ReservationGuard,
        ready: &Ready,
        waiter: &ResponseWaiter<'_>,
    ) -> Result<(), Failure> {
        let (authenticated, grant) = (&admitted.authenticated, &admitted.grant);
        let grants = self.parts.grants.current();
        if !Arc::ptr_eq(&grants, &admitted.grants)
            && !grants
                .covering(&authenticated.session, &authenticated.request)
                .is_ok_and(|now| now.grant == *grant)
        {
            return Err(Failure::Revoked(RefusalReason::GrantsChanged));
        }
        if !waiter.is_waiting() {
            return Err(Failure::CallerGone);
        }
        let (row, as_of, hold) = (&row(admitted, ready), admitted.read.as_of, guard.reservation());
        let lease = NewLease { row, as_of, made_from: &ready.made_from, hold };
        match self.parts.ledger.record(&lease).await? {
            Recorded::Written => Ok(()),
            Recorded::Stale => Err(Failure::Stale),
            Recorded::Lost => Err(Failure::Lost),
            Recorded::Blocked(blocker) => Err(Failure::Revoked(RefusalReason::Blocked(blocker))),
        }
    }

    pub(super) async fn failed(
        &self,
        admitted: &AdmittedRequest,
        failure: &Failure,
    ) -> Result<Lease, Refused> {
        match failure {
            Failure::Source(_) => {}
            Failure::CallerGone => tracing::debug!(lease_id = admitted.lease_id, "nobody waits"),
            other => {
                tracing::warn!(lease_id = admitted.lease_id, fault = %other, "failed to issue a lease")
            }
        }
        self.write(admitted.failed(failure)).await?;
        Err(failure.reason().answer().into())
    }

    /// The lease left the reservation, and whoever asked had hung up by then. Its value goes back.
    pub(super) async fn undelivered(&self, lease: Lease, request_id: Option<String>) {
        let row = self.row_of(&lease.lease_id).await.ok().flatten();
        self.parts.resolver.revoke_all(row.map(LeaseRow::source));
        let mut entry = Entry::lease_undelivered(lease.lease_id);
        entry.request_id = request_id;
        // The writer has logged why it could not be written, and there is nobody to tell.
        let _ = self.parts.audit.append(entry).await;
    }
}

fn failure_of(unresolved: Unresolved, waiter: &ResponseWaiter<'_>) -> Failure {
    let last = unresolved.failures.last().map(|failure| RefusalReason::from(&failure.fault));
    match unresolved.end {
        End::Ledger(fault) => fault.into(),
        End::Exhausted => Failure::Exhausted,
        End::Lost if !waiter.is_waiting() => Failure::CallerGone,
        End::Lost => Failure::Lost,
        End::Failed => Failure::Source(last.unwrap_or(RefusalReason::NoBackendAvailable)),
        End::NoBackendAvailable(_) => Failure::Source(RefusalReason::NoBackendAvailable),
    }
}

/// The attempts that a reservation has left, as long as somebody waits for them.
struct WhileWaiting<'a> {
    guard: &'a ReservationGuard,
    ledger: &'a dyn Ledger,
    waiter: &'a ResponseWaiter<'a>,
}

#[async_trait]
impl AttemptBudget for WhileWaiting<'_> {
    async fn spend(&self) -> Result<Attempt, LedgerFault> {
        if self.waiter.is_waiting() {
            self.guard.spend(self.ledger).await
        } else {
            Ok(Attempt::Lost)
        }
    }
}

fn row(admitted: &AdmittedRequest, ready: &Ready) -> LeaseRow {
    let (authenticated, grant) = (&admitted.authenticated, &admitted.grant);
    LeaseRow {
        lease_id: admitted.lease_id.clone(),
        session: authenticated.session.id().to_owned(),
        subject: authenticated.session.subject().unwrap_or_default().to_owned(),
        actor: admitted.actor.clone(),
        handle: grant.handle.clone(),
        destination: authenticated.request.destination.to_string(),
        binding: authenticated.request.binding,
        issued_at: authenticated.now,
        expires_at: ready.life.expires_at,
        backend: ready.backend.clone(),
        revocation: ready.revocation.clone(),
        outcome: None,
    }
}
