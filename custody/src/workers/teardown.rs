//! `POST /v1/cred/teardown`: everything of an actor goes.

use super::Workers;
use super::capability::Power;
use crate::api::answer::ok;
use crate::api::body;
use crate::api::refusal::Refusal;
use crate::bulk_revocation::{Means, Progress};
use axum::extract::{Request, State};
use axum::response::Response;
use custody_base::actor::Actor;
use custody_ledger::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeardownOrder {
    #[schemars(schema_with = "crate::api::limits::handle")]
    actor: Actor,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TornDown {
    pub actor: String,
    /// Stored credentials that were deleted.
    pub credentials: u64,
    /// Leases that were revoked before their end, so far.
    pub leases: u64,
    /// `false`: there are more, and custody goes on; the audit log has the end (`leases_revoked`), and so has
    /// another teardown.
    pub complete: bool,
}

pub async fn teardown(
    State(workers): State<Arc<Workers>>,
    request: Request,
) -> Result<Response, Refusal> {
    let capability = workers.verify(request.headers(), Power::Teardown).await?;
    let TeardownOrder { actor } = body::json(request).await?;
    let admitted = workers.admit(capability, &actor, None).await?;
    let order = admitted.order.clone();
    match workers.parts.vault.wipe(&actor).await {
        // What was stored goes first, so that nothing of it is leased while the leases go. The actor
        // itself is not revoked: it may store anew.
        Ok(credentials) => {
            let target = Target::Actor(actor.clone());
            let ended = workers.parts.bulk_revocation.end(target, Means::OfEach, order).await;
            let Progress { leases, complete } = ended;
            Ok(ok(&TornDown { actor: actor.to_string(), credentials, leases, complete }))
        }
        Err(fault) => Err(workers.failed(admitted, fault.into()).await),
    }
}
