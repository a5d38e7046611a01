//! `POST /v1/cred/store`

use super::Workers;
use super::capability::Power;
use crate::api::answer::ok;
use crate::api::body;
use crate::api::credential::{Sent, Shown, Stored};
use crate::api::refusal::Refusal;
use axum::extract::{Request, State};
use axum::response::Response;
use custody_base::actor::Actor;
use lease::Handle;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreOrder {
    #[schemars(schema_with = "crate::api::limits::handle")]
    actor: Actor,
    /// The handle.
    #[schemars(schema_with = "crate::api::limits::handle")]
    service: Handle,
    #[schemars(with = "Shown<'static>")]
    credential: Sent,
}

pub async fn store(
    State(workers): State<Arc<Workers>>,
    request: Request,
) -> Result<Response, Refusal> {
    let capability = workers.verify(request.headers(), Power::Store).await?;
    let StoreOrder { actor, service, credential } = body::json(request).await?;
    let credential = credential.credential()?;
    let admitted = workers.admit(capability, &actor, Some(&service)).await?;
    match workers.parts.vault.put(&actor, &service, credential).await {
        Ok(version) => Ok(ok(&Stored { actor: actor.into(), handle: service.into(), version })),
        Err(fault) => Err(workers.failed(admitted, fault.into()).await),
    }
}
