//! Which sessions hold leases. Custody lists the sessions that it leased to; one that never had a lease is
//! not here.

use super::Admin;
use super::operator::Operator;
use crate::api::answer::ok;
use crate::api::limits::LIMIT_CEILING;
use crate::api::refusal::Refusal;
use axum::extract::State;
use axum::response::Response;
use custody_ledger::{LeaseFilter, LeaseRow, Target};
use lease::UnixSeconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionList {
    /// Last to lease first.
    pub sessions: Vec<SessionShown>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionShown {
    /// Its name: its issuer, `#`, and its `sid` or `jti`, or the claims of the issuer's `id`.
    pub session: String,
    pub subject: String,
    /// Leases that have not ended.
    pub leases: u64,
    /// Their handles.
    pub handles: BTreeSet<String>,
    pub last_lease_at: UnixSeconds,
    /// When the last of them ends.
    pub leases_end_at: UnixSeconds,
    pub revoked: bool,
}

pub async fn list(State(admin): State<Arc<Admin>>, _: Operator) -> Result<Response, Refusal> {
    let live_at = Some((admin.clock)());
    let filter = LeaseFilter { live_at, limit: LIMIT_CEILING, ..LeaseFilter::default() };
    let rows = admin.ledger.leases(&filter).await?;
    let revoked = admin.ledger.revoked().await?.into_iter();
    let revoked: BTreeSet<_> = revoked
        .filter_map(|revocation| match revocation.target {
            Target::Session(id) => Some(id),
            _ => None,
        })
        .collect();
    Ok(ok(&SessionList { sessions: sessions_of(rows, &revoked) }))
}

fn sessions_of(rows: Vec<LeaseRow>, revoked: &BTreeSet<String>) -> Vec<SessionShown> {
    let mut sessions: BTreeMap<String, SessionShown> = BTreeMap::new();
    for row in rows {
        let session = sessions.entry(row.session.clone()).or_insert_with(|| SessionShown {
            revoked: revoked.contains(&row.session),
            session: row.session,
            subject: row.subject,
            leases: 0,
            handles: BTreeSet::new(),
            last_lease_at: 0,
            leases_end_at: 0,
        });
        session.leases += 1;
        session.handles.insert(row.handle.to_string());
        session.last_lease_at = session.last_lease_at.max(row.issued_at);
        session.leases_end_at = session.leases_end_at.max(row.expires_at);
    }
    let mut sessions: Vec<_> = sessions.into_values().collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.last_lease_at));
    sessions
}
