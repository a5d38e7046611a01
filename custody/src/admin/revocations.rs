//! Revoking a session, lease, handle or actor, and taking that back.
//!
//! Custody drops a revocation at its `until`. Unless the operator names one:
//! - **session**: `session.absolute` from now (and the issuer's `max_lifetime` at least), plus the leeway.
//!   Without `session.absolute` it stays until it is restored: custody cannot determine the end of a session
//!   of several tokens (`sid`), and a revoked one must not come back by itself. So does a session that is
//!   named by other claims, such as `sub`, which every later token has too. One that is named by its token
//!   ends with `max_lifetime`. An operator that revokes sessions by the thousand names an `until`.
//! - **lease**: its own end; 15 minutes and the leeway if the ledger does not have it.
//! - **handle, actor**: until it is restored.

use super::Admin;
use super::operator::Operator;
use super::target::{Kind, spelled};
use crate::api::answer::ok;
use crate::api::body;
use crate::api::refusal::Refusal;
use crate::bulk_revocation::{Means, Progress};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use custody_audit::entry::Order;
use custody_ledger::{LeasePlace, Revocation, Target};
use lease::{LEASE_CEILING, UnixSeconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = crate::api::limits::id_of_kind)]
pub struct RevocationOrder {
    pub kind: Kind,
    #[schemars(schema_with = "crate::api::limits::target_id")]
    pub id: String,
    /// Unix seconds after which custody may drop it. Default: see the kind.
    #[serde(default, deserialize_with = "body::whole")]
    pub until: Option<UnixSeconds>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationShown {
    pub kind: Kind,
    pub id: String,
    pub at: UnixSeconds,
    /// Absent: until it is restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UnixSeconds>,
    /// The operator, or `idle`.
    pub by: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    pub revocation: RevocationShown,
    /// Leases it ended before their time, so far. Their backends are asked to take the values back.
    pub leases: u64,
    /// `false`: there are more, and custody goes on; the audit log has the end (`leases_revoked`), and so has
    /// the same order again.
    pub complete: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationList {
    /// Newest first.
    pub revocations: Vec<RevocationShown>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    pub kind: Kind,
    pub id: String,
}

pub async fn revoke(
    State(admin): State<Arc<Admin>>,
    by: Operator,
    request: Request,
) -> Result<Response, Refusal> {
    let RevocationOrder { kind, id, until } = body::json(request).await?;
    let target = kind.target(id, &admin.issuers)?;
    let now = (admin.clock)();
    if until.is_some_and(|until| until <= now) {
        return Err(Refusal::bad_request("until: has passed"));
    }
    let (kind, id) = spelled(&target);
    let order = admin.order(&by, "revoke", Some((kind.name(), id))).await?;
    let outcome = admin.revoke(target, until, &order, now).await;
    let revoked = admin.done(order, outcome).await?;
    Ok(ok(&revoked))
}

pub async fn list(State(admin): State<Arc<Admin>>, _: Operator) -> Result<Response, Refusal> {
    let revocations = admin.ledger.revoked().await?;
    Ok(ok(&RevocationList { revocations: revocations.iter().map(shown).collect() }))
}

pub async fn restore(
    State(admin): State<Arc<Admin>>,
    by: Operator,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let kind: Kind = serde_json::from_value(kind.into())
        .map_err(|_| Refusal::bad_request("kind: is session, lease, handle or actor"))?;
    let target = kind.target(id, &admin.issuers)?;
    let (_, id) = spelled(&target);
    let order = admin.order(&by, "restore", Some((kind.name(), id))).await?;
    let outcome = admin.ledger.restore(&target, (admin.clock)()).await.map_err(Refusal::from);
    let outcome = outcome.and_then(|there| {
        there.then_some(()).ok_or_else(|| Refusal::not_found("it is not revoked"))
    });
    admin.done(order, outcome).await?;
    Ok(ok(&Restored { kind, id: id.to_owned() }))
}

/// An edge learns of a revoked actor by the handles that the grants give it. A handle whose actor is in a
/// claim is also that of others, and a reload may have removed a grant that live leases come from. So an
/// edge learns of each lease of an actor.
const fn means_of(target: &Target) -> Means {
    match target {
        Target::Actor(_) => Means::OfEach,
        Target::Session(_) | Target::Lease(_) | Target::Handle(_) => Means::OfTarget,
    }
}

fn shown(revocation: &Revocation) -> RevocationShown {
    let Revocation { target, at, until, by } = revocation;
    let (kind, id) = spelled(target);
    RevocationShown { kind, id: id.to_owned(), at: *at, until: *until, by: by.clone() }
}

// === impl Admin ===

impl Admin {
    async fn revoke(
        &self,
        target: Target,
        until: Option<UnixSeconds>,
        order: &Order,
        now: UnixSeconds,
    ) -> Result<Revoked, Refusal> {
        let until = match until {
            Some(until) => Some(until),
            None => self.end_of(&target, now).await,
        };
        let revocation = Revocation { target, at: now, until, by: order.by.clone() };
        self.ledger.revoke(&revocation).await?;
        // No lease is written from here on, so those that are live are all.
        let target = revocation.target.clone();
        let means = means_of(&target);
        let ended = self.bulk_revocation.end(target, means, order.clone()).await;
        let Progress { leases, complete } = ended;
        Ok(Revoked { revocation: shown(&revocation), leases, complete })
    }

    /// The time at which custody may drop a revocation that names no end; see the module.
    async fn end_of(&self, target: &Target, now: UnixSeconds) -> Option<UnixSeconds> {
        match target {
            Target::Session(name) => {
                let longest = self.issuers.longest(name, self.session_ceiling)?;
                Some(now.saturating_add(longest).saturating_add(self.leeway))
            }
            Target::Lease(_) => {
                let unknown = now.saturating_add(LEASE_CEILING).saturating_add(self.leeway);
                let found = self.ledger.leases_after(target, LeasePlace::live_at(now)).await;
                // That the ledger cannot say must not keep a revocation from being made.
                let lease = found.ok().and_then(|page| page.leases.into_iter().next());
                Some(lease.map_or(unknown, |lease| lease.expires_at))
            }
            Target::Handle(_) | Target::Actor(_) => None,
        }
    }
}
