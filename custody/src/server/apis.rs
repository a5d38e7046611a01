//! The parts that all APIs share, and the operators' and the workers' routes.

use crate::admin::{self, Admin};
use crate::bulk_revocation::BulkRevocation;
use crate::config::{Config, WorkersListener};
use crate::failures::Failures;
use crate::grants::{GrantsFile, LiveGrants};
use crate::keys::Issuers;
use crate::metrics::Metrics;
use crate::openapi;
use crate::vault::Vault;
use crate::workers::capability::Capabilities;
use crate::workers::{self, Workers};
use axum::Router;
use custody_audit::AuditLog;
use custody_backends::resolver::Resolver;
use custody_base::clock::Clock;
use custody_ledger::Ledger;
use session::Verifier;
use std::sync::Arc;

/// The parts that are opened once, for all of them.
pub(super) struct Shared {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) resolver: Arc<Resolver>,
    pub(super) bulk_revocation: Arc<BulkRevocation>,
    pub(super) failures: Failures,
    pub(super) vault: Arc<dyn Vault>,
    pub(super) grants: Arc<LiveGrants>,
    pub(super) grants_file: Arc<GrantsFile>,
    pub(super) audit: AuditLog,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: Clock,
}

/// The settings of both APIs.
pub(super) struct Settings {
    admin: bool,
    workers: Option<WorkersListener>,
    ledger_kind: &'static str,
    session_ceiling: Option<u64>,
    issuers: Issuers,
    leeway: u64,
}

/// The routes of each, if it has a listener.
pub(super) struct Apis {
    pub(super) admin: Option<Router>,
    pub(super) workers: Option<Router>,
}

pub(super) fn routes(shared: &Shared, settings: &Settings) -> Apis {
    Apis {
        admin: settings.admin.then(|| admin::routes(Arc::new(admin_of(shared, settings)))),
        workers: settings
            .workers
            .as_ref()
            .map(|listener| workers::routes(Arc::new(workers_of(shared, listener)))),
    }
}

fn admin_of(shared: &Shared, settings: &Settings) -> Admin {
    Admin {
        ledger: shared.ledger.clone(),
        ledger_kind: settings.ledger_kind,
        audit: shared.audit.clone(),
        grants: shared.grants.clone(),
        grants_file: shared.grants_file.clone(),
        bulk_revocation: shared.bulk_revocation.clone(),
        vault: shared.vault.clone(),
        started_at: (shared.clock)(),
        session_ceiling: settings.session_ceiling,
        leeway: settings.leeway,
        issuers: settings.issuers.clone(),
        description: openapi::document(),
        clock: shared.clock.clone(),
    }
}

fn workers_of(shared: &Shared, listener: &WorkersListener) -> Workers {
    let WorkersListener { rules, keys, max_age, .. } = listener;
    let verifier = Verifier::new(rules.clone(), keys.clone());
    Workers::new(workers::Parts {
        capabilities: Capabilities::new(verifier, *max_age, rules.leeway),
        ledger: shared.ledger.clone(),
        audit: shared.audit.clone(),
        resolver: shared.resolver.clone(),
        bulk_revocation: shared.bulk_revocation.clone(),
        failures: shared.failures.clone(),
        vault: shared.vault.clone(),
        metrics: shared.metrics.clone(),
        clock: shared.clock.clone(),
    })
}

// === impl Settings ===

impl Settings {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            admin: config.admin.is_some(),
            workers: config.workers.clone(),
            ledger_kind: config.storage.ledger.kind(),
            session_ceiling: config.session.limits.absolute,
            leeway: config.session.leeway,
            issuers: config.session.issuers(),
        }
    }
}
