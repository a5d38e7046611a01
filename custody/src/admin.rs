//! The admin API: what operators may see and do, over TLS with a certificate of their own CA.
//!
//! Every change is in the audit log, with the operator's name, before it happens ([`orders`]); while the
//! audit log fails, nothing changes.

pub mod check;
pub mod credentials;
pub mod grants;
pub mod kill_switch;
pub mod leases;
pub mod operations;
pub mod operator;
pub mod orders;
pub mod revocations;
pub mod root_key;
pub mod sessions;
pub mod status;
pub mod target;

pub use operations::routes;

use crate::bulk_revocation::BulkRevocation;
use crate::grants::{GrantsFile, LiveGrants};
use crate::keys::Issuers;
use crate::vault::Vault;
use custody_audit::AuditLog;
use custody_base::clock::Clock;
use custody_ledger::Ledger;
use lease::UnixSeconds;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The parts of the admin API.
pub struct Admin {
    pub ledger: Arc<dyn Ledger>,
    /// `sqlite` or `postgres`, for people.
    pub ledger_kind: &'static str,
    pub audit: AuditLog,
    pub grants: Arc<LiveGrants>,
    pub grants_file: Arc<GrantsFile>,
    pub bulk_revocation: Arc<BulkRevocation>,
    pub vault: Arc<dyn Vault>,
    /// When custody began to serve.
    pub started_at: UnixSeconds,
    /// How long a session may last at most, in seconds, if there is a limit.
    pub session_ceiling: Option<u64>,
    /// Whose sessions there are.
    pub issuers: Issuers,
    /// Seconds by which clocks may differ.
    pub leeway: u64,
    /// Of every listener's API, OpenAPI 3.1.
    pub description: Value,
    pub clock: Clock,
}

/// From the head of a request to its answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
