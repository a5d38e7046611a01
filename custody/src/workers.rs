//! The credential API: workers store, fetch and tear down credentials, each time with a capability
//! token made for this one thing.
//!
//! It has a listener of its own. A worker's certificate opens the door and nothing more; an operator's
//! would open the kill switch too, and an edge's the leases.
//!
//! The order is the point: the token is verified, held against the request and spent, and the audit
//! record is durable, all before a store, a signer or a backend is touched ([`Workers::admit`]).

pub mod admission;
pub mod capability;
pub mod fetch;
pub mod operations;
pub mod refused;
pub mod store;
pub mod teardown;

pub use operations::routes;

use crate::bulk_revocation::BulkRevocation;
use crate::failures::Failures;
use crate::metrics::Metrics;
use crate::vault::Vault;
use capability::Capabilities;
use custody_audit::AuditLog;
use custody_audit::sampling::Sampler;
use custody_backends::resolver::Resolver;
use custody_base::clock::Clock;
use custody_ledger::Ledger;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The parts of the credential API.
pub struct Workers {
    parts: Parts,
    /// Of tokens that were refused.
    refused: Sampler,
}

/// The parts of a [`Workers`].
pub struct Parts {
    pub capabilities: Capabilities,
    pub ledger: Arc<dyn Ledger>,
    pub audit: AuditLog,
    pub resolver: Arc<Resolver>,
    pub bulk_revocation: Arc<BulkRevocation>,
    pub failures: Failures,
    pub vault: Arc<dyn Vault>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
}

/// From the head of a request to its answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(15);

// === impl Workers ===

impl Workers {
    pub fn new(parts: Parts) -> Self {
        Self { parts, refused: Sampler::new(Instant::now()) }
    }
}
