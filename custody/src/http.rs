//! Custody's HTTP answers to edges and to probes.

mod concurrency_limits;
mod leases;
mod reply;
mod routes;
mod sync;

use crate::feed::EdgeFeed;
use crate::leasing::Leasing;
use crate::metrics::Metrics;
pub use concurrency_limits::ConcurrencyLimits;
use custody_audit::AuditLog;
use custody_ledger::Ledger;
pub use leases::BODY_LIMIT;
pub use routes::{edge_routes, health_routes};
use std::sync::Arc;

/// The parts that every request needs.
#[derive(Clone)]
pub struct Service {
    pub leasing: Arc<Leasing>,
    pub feed: Arc<EdgeFeed>,
    pub concurrency_limits: ConcurrencyLimits,
    pub ledger: Arc<dyn Ledger>,
    pub audit: AuditLog,
    pub metrics: Arc<Metrics>,
}
