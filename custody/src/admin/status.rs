//! How custody is.

use super::Admin;
use super::grants::GrantsInForce;
use super::operator::Operator;
use crate::api::answer::ok;
use crate::api::limits::LIMIT_CEILING;
use axum::extract::State;
use axum::response::Response;
use custody_ledger::LeaseFilter;
use lease::UnixSeconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub version: String,
    pub started_at: UnixSeconds,
    /// Seconds since.
    pub uptime: u64,
    pub ledger: LedgerStatus,
    pub audit: AuditStatus,
    pub grants: GrantsInForce,
    /// Credentials in the sealed store; absent if it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerStatus {
    /// `sqlite` or `postgres`.
    pub kind: String,
    pub healthy: bool,
    /// The fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// These are absent if it is not healthy: nothing is leased then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub kill_switch: bool,
    /// Leases that have not ended; at most 10000 are counted.
    pub leases: u64,
    /// The sessions they belong to.
    pub sessions: u64,
    pub revocations: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditStatus {
    pub healthy: bool,
    /// Records written since the start.
    pub records: u64,
    pub failures: u64,
    /// The end of the chain; keep it elsewhere, for `custody audit verify --contains`.
    pub head: AuditHead,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// The number of the last record.
    pub seq: u64,
    pub hash: String,
}

pub async fn get(State(admin): State<Arc<Admin>>, _: Operator) -> Response {
    let now = (admin.clock)();
    let credentials = admin.vault.list().await.ok().map(|all| all.len() as u64);
    ok(&Status {
        version: env!("CARGO_PKG_VERSION").into(),
        started_at: admin.started_at,
        uptime: now.saturating_sub(admin.started_at),
        ledger: admin.ledger_status(now).await,
        audit: admin.audit_status().await,
        grants: admin.grants_in_force(),
        credentials,
    })
}

// === impl Admin ===

impl Admin {
    async fn ledger_status(&self, now: UnixSeconds) -> LedgerStatus {
        let counts = self.counts(now).await;
        let kind = self.ledger_kind.to_owned();
        match counts {
            Ok(counts) => LedgerStatus { kind, healthy: true, fault: None, counts: Some(counts) },
            Err(fault) => {
                let fault = Some(fault.to_string());
                LedgerStatus { kind, healthy: false, fault, counts: None }
            }
        }
    }

    async fn counts(&self, now: UnixSeconds) -> Result<Counts, custody_ledger::LedgerFault> {
        let live_at = Some(now);
        let filter = LeaseFilter { live_at, limit: LIMIT_CEILING, ..LeaseFilter::default() };
        let leases = self.ledger.leases(&filter).await?;
        let sessions: BTreeSet<_> = leases.iter().map(|row| row.session.as_str()).collect();
        Ok(Counts {
            kill_switch: self.ledger.kill_switch().await?,
            leases: leases.len() as u64,
            sessions: sessions.len() as u64,
            revocations: self.ledger.revoked().await?.len() as u64,
        })
    }

    async fn audit_status(&self) -> AuditStatus {
        let healthy = self.audit.probe().await.is_ok();
        let counts = self.audit.counts();
        let head = self.audit.head();
        AuditStatus {
            healthy,
            records: counts.records.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            head: AuditHead { seq: head.seq, hash: head.hash },
        }
    }
}
