//! The kill switch: while it is on, nothing is leased and edges use nothing they hold. It is in the
//! ledger, so it survives restarts and holds on every replica.

use super::Admin;
use super::operator::Operator;
use crate::api::answer::ok;
use crate::api::body;
use crate::api::refusal::Refusal;
use axum::extract::{Request, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KillSwitch {
    pub on: bool,
}

pub async fn get(State(admin): State<Arc<Admin>>, _: Operator) -> Result<Response, Refusal> {
    Ok(ok(&KillSwitch { on: admin.ledger.kill_switch().await? }))
}

pub async fn put(
    State(admin): State<Arc<Admin>>,
    by: Operator,
    request: Request,
) -> Result<Response, Refusal> {
    let KillSwitch { on } = body::json(request).await?;
    let action = if on { "kill_switch_on" } else { "kill_switch_off" };
    let order = admin.order(&by, action, None).await?;
    let outcome = admin.ledger.set_kill_switch(on).await;
    admin.done(order, outcome).await?;
    Ok(ok(&KillSwitch { on }))
}
