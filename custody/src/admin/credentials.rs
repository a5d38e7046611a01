//! Credentials in the sealed store: put, list, delete. A value goes in and is never shown.

use super::Admin;
use super::operator::Operator;
use crate::api::answer::ok;
use crate::api::body;
use crate::api::credential::{Sent, Stored};
use crate::api::refusal::Refusal;
use crate::vault::CredentialShown;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use custody_base::actor::Actor;
use lease::Handle;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialList {
    pub credentials: Vec<CredentialShown>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deleted {
    pub actor: String,
    pub handle: String,
}

pub async fn list(State(admin): State<Arc<Admin>>, _: Operator) -> Result<Response, Refusal> {
    Ok(ok(&CredentialList { credentials: admin.vault.list().await? }))
}

pub async fn get(
    State(admin): State<Arc<Admin>>,
    _: Operator,
    Path(place): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (actor, handle) = place_of(&place)?;
    let all = admin.vault.list().await?;
    let here =
        |one: &&CredentialShown| one.actor == actor.as_str() && one.handle == handle.as_str();
    let found = all.iter().find(here);
    found.map(ok).ok_or_else(|| absent(&actor, &handle))
}

pub async fn put(
    State(admin): State<Arc<Admin>>,
    by: Operator,
    Path(place): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let (actor, handle) = place_of(&place)?;
    let credential = body::json::<Sent>(request).await?.credential()?;
    let named = format!("{actor}/{handle}");
    let order = admin.order(&by, "credential_put", Some(("credential", &named))).await?;
    let outcome = admin.vault.put(&actor, &handle, credential).await;
    let version = admin.done(order, outcome).await?;
    Ok(ok(&Stored { actor: actor.into(), handle: handle.into(), version }))
}

pub async fn delete(
    State(admin): State<Arc<Admin>>,
    by: Operator,
    Path(place): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (actor, handle) = place_of(&place)?;
    let named = format!("{actor}/{handle}");
    let order = admin.order(&by, "credential_delete", Some(("credential", &named))).await?;
    let outcome = admin.vault.delete(&actor, &handle).await.map_err(Refusal::from);
    let outcome =
        outcome.and_then(|there| there.then_some(()).ok_or_else(|| absent(&actor, &handle)));
    admin.done(order, outcome).await?;
    Ok(ok(&Deleted { actor: actor.into(), handle: handle.into() }))
}

fn place_of((actor, handle): &(String, String)) -> Result<(Actor, Handle), Refusal> {
    let actor = actor.parse().map_err(|error| Refusal::bad_request(format!("actor: {error}")))?;
    let handle =
        handle.parse().map_err(|error| Refusal::bad_request(format!("handle: {error}")))?;
    Ok((actor, handle))
}

fn absent(actor: &Actor, handle: &Handle) -> Refusal {
    Refusal::not_found(format!("nothing is stored under {handle} for actor {actor}"))
}
