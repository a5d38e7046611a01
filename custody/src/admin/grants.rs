//! Reading the grants again, without a restart.

use super::Admin;
use super::operator::Operator;
use crate::api::answer::ok;
use crate::api::refusal::Refusal;
use crate::grants::ReloadFault;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantsInForce {
    pub grants: u64,
    /// SHA-256 of the grants in the file, lower-case hex.
    pub digest: String,
}

pub async fn reload(State(admin): State<Arc<Admin>>, by: Operator) -> Result<Response, Refusal> {
    // It writes to the audit log itself, before anything is in force.
    match admin.grants_file.reload(by.name()).await {
        Ok(_) => Ok(ok(&admin.grants_in_force())),
        Err(ReloadFault::Audit(fault)) => Err(fault.into()),
        Err(faults @ (ReloadFault::Config(_) | ReloadFault::Unread(_))) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Err(Refusal::new(status, "grants_invalid", faults.to_string()))
        }
    }
}

// === impl Admin ===

impl Admin {
    pub(super) fn grants_in_force(&self) -> GrantsInForce {
        let grants = self.grants.current();
        GrantsInForce { grants: grants.iter().count() as u64, digest: grants.digest().to_owned() }
    }
}
