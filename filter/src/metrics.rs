//! A counter a decision, and the age of custody's last update, in Envoy's stats under `wasmcustom.`.

use crate::host;
use abi::types::MetricType;
use edge::exchange::PermitKind;
use edge::policy::denial::Denial;
use edge::state::callout::Purpose;
use std::time::Duration;

/// Defined once a configuration; a decision costs one host call. A metric that the host refuses is a number
/// less, and no reason to deny.
#[derive(Default)]
pub struct Metrics {
    allowed: Option<u32>,
    tunnels: Option<u32>,
    leases: Option<u32>,
    denied: Vec<(Denial, Option<u32>)>,
    revocations_age: Option<u32>,
}

const ALLOWED: &str = "leasehold.allowed";
const TUNNELS: &str = "leasehold.tunnels";
const LEASES: &str = "leasehold.leases";
const DENIED: &str = "leasehold.denied.";
/// Whole seconds. Workers share the gauge, and the last of them to tick is shown.
const REVOCATIONS_AGE: &str = "leasehold.revocations.age_seconds";

// === impl Metrics ===

impl Metrics {
    /// Defines all of them, so that each is there, at zero, before its first event.
    pub fn define() -> Self {
        let counter = |name: &str| defined(MetricType::Counter, name);
        let denied = |denial: Denial| (denial, counter(&format!("{DENIED}{}", denial.code())));
        Self {
            allowed: counter(ALLOWED),
            tunnels: counter(TUNNELS),
            leases: counter(LEASES),
            denied: Denial::ALL.into_iter().map(denied).collect(),
            revocations_age: defined(MetricType::Gauge, REVOCATIONS_AGE),
        }
    }

    pub fn count_forwarded(&self, permit_kind: PermitKind) {
        count(match permit_kind {
            PermitKind::Connect => self.tunnels,
            PermitKind::Request => self.allowed,
            PermitKind::Refusal => None,
        });
    }

    pub fn count_denied(&self, denial: Denial) {
        let own = self.denied.iter().find(|(own, _)| own.code() == denial.code());
        count(own.and_then(|(_, id)| *id));
    }

    /// Custody has been asked for a lease.
    pub fn count_callout(&self, purpose: Purpose) {
        match purpose {
            Purpose::Lease(_) => count(self.leases),
            Purpose::Keys(_) | Purpose::Sync | Purpose::Seen | Purpose::Outcome => {}
        }
    }

    /// The age of custody's last update.
    pub fn record_revocations_age(&self, age: Duration) {
        if let Some(id) = self.revocations_age {
            let _ = host::record(id, age.as_secs());
        }
    }
}

fn count(id: Option<u32>) {
    if let Some(id) = id {
        let _ = host::increment(id);
    }
}

fn defined(kind: MetricType, name: &str) -> Option<u32> {
    let id = host::define_metric(kind, name);
    if id.is_err() {
        log::warn!("leasehold: failed to define the metric {name}");
    }
    id.ok()
}
