//! `POST /v1/cred/teardown`: everything of an actor goes.

use super::Workers;
use super::capability::Power;
use crate::actor::Actor;
use crate::api::answer::ok;
use crate::api::body;
use crate::api::refusal::Refusal;
use crate::ledger::{LeaseFilter, LeaseRow, Revocation, Target};
use axum::extract::{Request, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeardownOrder {
    #[schemars(with = "String")]
    actor: Actor,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TornDown {
    pub actor: String,
    /// Stored credentials that were deleted.
    pub credentials: u64,
    /// Leases that were revoked before their end.
    pub leases: u64,
}

/// Live leases of one actor that are revoked one by one.
const LEASES: u32 = 10_000;

pub async fn teardown(
    State(workers): State<Arc<Workers>>,
    request: Request,
) -> Result<Response, Refusal> {
    let capability = workers.verify(request.headers(), Power::Teardown).await?;
    let TeardownOrder { actor } = body::json(request).await?;
    let admitted = workers.admit(capability, &actor, None).await?;
    match workers.tear_down(&actor, &admitted.worker).await {
        Ok(torn_down) => Ok(ok(&torn_down)),
        Err(refusal) => Err(workers.failed(admitted, refusal).await),
    }
}

// === impl Workers ===

impl Workers {
    /// Stored credentials first, so that no lease is given of them any more while the leases go.
    /// The actor itself is not revoked: it may store anew.
    async fn tear_down(&self, actor: &Actor, by: &str) -> Result<TornDown, Refusal> {
        let credentials = self.parts.vault.wipe(actor).await?;
        let now = (self.parts.clock)();
        let (actor_of, live_at) = (Some(actor.clone()), Some(now));
        let filter =
            LeaseFilter { actor: actor_of, live_at, limit: LEASES, ..LeaseFilter::default() };
        let leases = self.parts.ledger.leases(&filter).await?;
        for LeaseRow { lease_id, expires_at, .. } in &leases {
            let target = Target::Lease(lease_id.clone());
            let (until, by) = (Some(*expires_at), by.to_owned());
            self.parts.ledger.revoke(&Revocation { target, at: now, until, by }).await?;
        }
        let count = leases.len() as u64;
        self.parts.resolver.take_back(leases.into_iter().map(LeaseRow::source));
        Ok(TornDown { actor: actor.to_string(), credentials, leases: count })
    }
}
