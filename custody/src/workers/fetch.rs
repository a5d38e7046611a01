//! `POST /v1/cred/fetch`: a credential of any type, by name.

use super::Workers;
use super::admission::Admitted;
use super::capability::Power;
use crate::api::Undelivered;
use crate::api::answer;
use crate::api::body;
use crate::api::credential::{Shown, show};
use crate::api::refusal::Refusal;
use axum::extract::{Request, State};
use axum::response::Response;
use custody_audit::Entry;
use custody_backends::resolver::{Answered, Failure, InMemory, Unresolved};
use custody_backends::{BackendFault, CredentialRequest, Restriction};
use custody_base::actor::Actor;
use custody_base::credential::CredentialType;
use custody_base::names::fresh_id;
use custody_base::under_way;
use custody_ledger::{Blocker, Claimant, LeaseRow, NewLease, Recorded};
use lease::{Binding, Handle, LEASE_CEILING, LEASE_DEFAULT, UnixSeconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FetchOrder {
    #[schemars(schema_with = "crate::api::limits::handle")]
    actor: Actor,
    /// The handle.
    #[schemars(schema_with = "crate::api::limits::handle")]
    service: Handle,
    /// The one type the caller can use. Without it, any that is made of headers; an SSH
    /// certificate, a Kerberos ticket and opaque bytes are given only to who asks for them.
    #[serde(rename = "type")]
    kind: Option<CredentialType>,
    /// Seconds, 1 to 900; default 300.
    #[serde(default, deserialize_with = "body::whole")]
    #[schemars(schema_with = "crate::api::limits::ttl")]
    ttl: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fetched<'a> {
    lease_id: &'a str,
    credential: Shown<'a>,
    /// Unix seconds; from then on it must not be used.
    expires_at: UnixSeconds,
    /// The places where it may be used, if its issuer names any.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    /// The scope, in the issuer's own words.
    scope: &'a [String],
}

/// In the place of a destination, in the ledger.
const DESTINATION: &str = "worker";

pub async fn fetch(
    State(workers): State<Arc<Workers>>,
    request: Request,
) -> Result<Response, Refusal> {
    let capability = workers.verify(request.headers(), Power::Fetch).await?;
    let order: FetchOrder = body::json(request).await?;
    let ttl = order.ttl.unwrap_or(LEASE_DEFAULT);
    if !(1..=LEASE_CEILING).contains(&ttl) {
        return Err(Refusal::bad_request(format!("ttl: is 1 to {LEASE_CEILING} seconds")));
    }
    let admitted = workers.admit(capability, &order.actor, Some(&order.service)).await?;
    match workers.fetched(&order, ttl, &admitted).await {
        Ok((row, body)) => {
            let mut response = answer::secret(&body);
            let undelivered = Undelivered(Arc::new(move || workers.undelivered(&row, &admitted)));
            response.extensions_mut().insert(undelivered);
            Ok(response)
        }
        Err(refusal) => Err(workers.failed(admitted, refusal).await),
    }
}

// === impl Workers ===

impl Workers {
    async fn fetched(
        &self,
        order: &FetchOrder,
        ttl: u64,
        admitted: &Admitted,
    ) -> Result<(LeaseRow, Zeroizing<Vec<u8>>), Refusal> {
        let (answered, row) = self.recorded(order, ttl, admitted).await?;
        let resolved = &answered.resolved;
        let body = show(&resolved.credential, |credential, out| {
            let fetched = Fetched {
                lease_id: &row.lease_id,
                credential,
                expires_at: answered.expires_at,
                target: resolved.target.as_deref(),
                scope: &resolved.scope,
            };
            serde_json::to_writer(out, &fetched)
        });
        match body {
            Ok(body) => Ok((row, body)),
            Err(fault) => {
                self.parts.resolver.revoke_all([row.source()]);
                Err(Refusal::unavailable("credential_unreadable", fault.to_string()))
            }
        }
    }

    /// The credential, and its lease as the ledger has it. Custody looks again for a credential that was
    /// replaced meanwhile.
    async fn recorded(
        &self,
        order: &FetchOrder,
        ttl: u64,
        admitted: &Admitted,
    ) -> Result<(Answered, LeaseRow), Refusal> {
        let budget = InMemory::default();
        let (restriction, until) =
            (Restriction::default(), (self.parts.clock)().saturating_add(ttl));
        let asked = CredentialRequest::of(&order.actor, &order.service, &restriction, until);
        let asked = CredentialRequest { kind: order.kind, ..asked };
        // The budget ends it.
        loop {
            let as_of = self.may_be_used(order).await?;
            let answered = self.parts.resolver.resolve(&asked, &budget).await;
            let answered = answered.map_err(|unresolved| self.not_there(order, &unresolved))?;
            self.report(order, &answered.failures);
            let row = self.row(order, admitted, &answered)?;
            let made_from = &answered.resolved.made_from;
            let lease = NewLease { as_of, made_from, ..NewLease::of(&row) };
            let refusal = match self.parts.ledger.record(&lease).await {
                Ok(Recorded::Written) => return Ok((answered, row)),
                Ok(Recorded::Stale | Recorded::Lost) => None,
                Ok(Recorded::Blocked(blocker)) => Some(blocked(blocker)),
                Err(fault) => Some(fault.into()),
            };
            // What is not written down could not be torn down.
            self.parts.resolver.revoke_all([row.source()]);
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
        }
    }

    /// The worker has hung up, so nobody has the value.
    fn undelivered(self: &Arc<Self>, row: &LeaseRow, admitted: &Admitted) {
        self.parts.resolver.revoke_all([row.clone().source()]);
        let mut entry = Entry::lease_undelivered(row.lease_id.clone());
        entry.order = Some(admitted.order.clone());
        let audit = self.parts.audit.clone();
        // The writer has logged why it could not be written, and there is nobody to tell.
        under_way::spawn(async move { audit.append(entry).await });
    }

    /// The kill switch denies workers as it denies edges. The answer is the newest change by then.
    async fn may_be_used(&self, order: &FetchOrder) -> Result<i64, Refusal> {
        let (handle, actor) = (&order.service, &order.actor);
        let access_state =
            self.parts.ledger.access_state(Claimant { session: "", handle, actor }).await?;
        access_state.blocker().map_or(Ok(access_state.sequence), |blocker| Err(blocked(blocker)))
    }

    /// That nothing is stored is an answer to a worker, which may be about to store it.
    fn report(&self, order: &FetchOrder, failures: &[Failure]) {
        for failure in failures.iter().filter(|failure| failure.fault != BackendFault::Absent) {
            self.parts.failures.report(&order.actor, &order.service, failure);
        }
    }

    fn not_there(&self, order: &FetchOrder, unresolved: &Unresolved) -> Refusal {
        self.report(order, &unresolved.failures);
        match unresolved.failures.last().map(|failure| &failure.fault) {
            Some(BackendFault::Absent) => absent(),
            Some(BackendFault::Unfit(text)) => Refusal::unavailable("credential_unfit", *text),
            _ => Refusal::unavailable(unresolved.code(), "custody's log says why"),
        }
    }

    fn row(
        &self,
        order: &FetchOrder,
        admitted: &Admitted,
        answered: &Answered,
    ) -> Result<LeaseRow, Refusal> {
        Ok(LeaseRow {
            lease_id: fresh_id("crd")?,
            session: admitted.session.clone(),
            subject: admitted.worker.clone(),
            actor: order.actor.clone(),
            handle: order.service.clone(),
            destination: DESTINATION.into(),
            binding: Binding::Session,
            issued_at: (self.parts.clock)(),
            expires_at: answered.expires_at,
            backend: answered.backend.clone(),
            revocation: answered.resolved.revocation.clone(),
            outcome: None,
        })
    }
}

fn blocked(blocker: Blocker) -> Refusal {
    let text = match blocker {
        Blocker::KillSwitch => "the kill switch is on",
        Blocker::Handle => "the service's handle is revoked",
        Blocker::Actor => "the actor is revoked",
        Blocker::Session | Blocker::Lease => "the lease is revoked",
    };
    Refusal::forbidden(blocker.reason(), text)
}

fn absent() -> Refusal {
    Refusal::not_found("nothing is stored under this service")
}
