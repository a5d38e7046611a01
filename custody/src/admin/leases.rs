//! Which leases were given.

use super::Admin;
use super::operator::Operator;
use super::target::{Kind, spelled};
use crate::api::answer::ok;
use crate::api::limits::LIMIT_CEILING;
use crate::api::refusal::Refusal;
use axum::extract::{Query, State};
use axum::response::Response;
use custody_ledger::{LeaseFilter, LeaseRow};
use lease::UnixSeconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `?session=&lease=&handle=&actor=&all=true&limit=`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    session: Option<String>,
    lease: Option<String>,
    handle: Option<String>,
    actor: Option<String>,
    /// Also those that have ended.
    #[serde(default)]
    all: bool,
    limit: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseList {
    /// Those that end last first.
    pub leases: Vec<LeaseShown>,
}

/// No field is a secret.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseShown {
    pub lease_id: String,
    pub session: String,
    pub subject: String,
    pub actor: String,
    pub handle: String,
    pub destination: String,
    /// `session` or `single_use`.
    pub binding: String,
    pub issued_at: UnixSeconds,
    pub expires_at: UnixSeconds,
    pub backend: String,
    /// The outcome that the edge reported: `accepted`, `delivered` or `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
}

pub const LIMIT_DEFAULT: u32 = 100;

pub async fn list(
    State(admin): State<Arc<Admin>>,
    _: Operator,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(wanted) = wanted.map_err(|error| Refusal::bad_request(error.body_text()))?;
    let filter = filter_of(wanted, &admin)?;
    let rows = admin.ledger.leases(&filter).await?;
    Ok(ok(&LeaseList { leases: rows.into_iter().map(LeaseShown::from).collect() }))
}

fn filter_of(wanted: Wanted, admin: &Admin) -> Result<LeaseFilter, Refusal> {
    let Wanted { session, lease, handle, actor, all, limit } = wanted;
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_CEILING).contains(&limit) {
        return Err(Refusal::bad_request(format!("limit: is 1 to {LIMIT_CEILING}")));
    }
    let handle = handle.map(|handle| handle.parse()).transpose();
    let actor = actor.map(|actor| actor.parse()).transpose();
    let target = |kind: Kind, id: String| kind.target_in(kind.name(), id, &admin.issuers);
    if let Some(id) = &lease {
        target(Kind::Lease, id.clone())?;
    }
    let session = session.map(|id| target(Kind::Session, id)).transpose()?;
    Ok(LeaseFilter {
        session: session.map(|target| spelled(&target).1.to_owned()),
        lease_id: lease,
        handle: handle.map_err(|error| Refusal::bad_request(format!("handle: {error}")))?,
        actor: actor.map_err(|error| Refusal::bad_request(format!("actor: {error}")))?,
        live_at: (!all).then(|| (admin.clock)()),
        limit,
    })
}

// === impl LeaseShown ===

impl From<LeaseRow> for LeaseShown {
    fn from(row: LeaseRow) -> Self {
        // How a backend finds its value again is the backend's business.
        let LeaseRow { lease_id, session, subject, actor, handle, revocation: _, .. } = row;
        let LeaseRow { destination, binding, issued_at, expires_at, backend, outcome, .. } = row;
        let (outcome, failure_code) =
            outcome.map(|told| (told.outcome.name(), told.failure_code)).unzip();
        let binding = match binding {
            lease::Binding::Session => "session",
            lease::Binding::SingleUse => "single_use",
        };
        Self {
            lease_id,
            session,
            subject,
            actor: actor.to_string(),
            handle: handle.to_string(),
            destination,
            binding: binding.to_owned(),
            issued_at,
            expires_at,
            backend,
            outcome: outcome.map(str::to_owned),
            failure_code: failure_code.flatten(),
        }
    }
}
