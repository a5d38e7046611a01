//! Sealing everything again under another root key, without a restart.

use super::Admin;
use super::operator::Operator;
use crate::api::answer::ok;
use crate::api::refusal::Refusal;
use axum::extract::State;
use axum::response::Response;
use custody_base::under_way;
use std::sync::Arc;

pub async fn rotate(State(admin): State<Arc<Admin>>, by: Operator) -> Result<Response, Refusal> {
    let order = admin.order(&by, "key_rotate", None).await?;
    // On a task of its own: what was begun goes on when the operator hangs up or has waited long
    // enough. Asking again finds what is done, and does the rest.
    let rotating = under_way::spawn(async move {
        let outcome = admin.vault.rotate().await;
        admin.done(order, outcome).await
    });
    let broken =
        |_| Refusal::unavailable("store_unavailable", "custody's log says why it broke off");
    Ok(ok(&rotating.await.map_err(broken)??))
}
