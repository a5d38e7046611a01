//! A counter a decision, and how old the news are, in Envoy's stats under `wasmcustom.`.

use crate::host;
use abi::types::MetricType;
use edge::callout::Purpose;
use edge::denial::Denial;
use edge::exchange::Passage;
use std::collections::HashMap;
use std::time::Duration;

/// Defined once a configuration; a decision costs one host call.
#[derive(Default)]
pub struct Metrics {
    ids: HashMap<&'static str, u32>,
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
        let mut ids = HashMap::new();
        for name in [ALLOWED, TUNNELS, LEASES] {
            ids.extend(defined(MetricType::Counter, name, name));
        }
        for denial in Denial::ALL {
            let code = denial.code();
            ids.extend(defined(MetricType::Counter, code, &format!("{DENIED}{code}")));
        }
        ids.extend(defined(MetricType::Gauge, REVOCATIONS_AGE, REVOCATIONS_AGE));
        Self { ids }
    }

    pub fn count_forwarded(&self, passage: Passage) {
        self.count(match passage {
            Passage::Connect => TUNNELS,
            Passage::Request => ALLOWED,
        });
    }

    pub fn count_denied(&self, denial: Denial) {
        self.count(denial.code());
    }

    /// Custody has been asked for a lease.
    pub fn count_callout(&self, purpose: Purpose) {
        match purpose {
            Purpose::Lease(_) => self.count(LEASES),
            Purpose::Keys(_) | Purpose::Sync | Purpose::Seen | Purpose::Outcome => {}
        }
    }

    /// How long ago custody was last heard of.
    pub fn record_revocations_age(&self, age: Duration) {
        if let Some(id) = self.ids.get(REVOCATIONS_AGE) {
            let _ = host::record(*id, age.as_secs());
        }
    }

    /// A counter that the host refuses is a number less, and no reason to deny.
    fn count(&self, key: &'static str) {
        if let Some(id) = self.ids.get(key) {
            let _ = host::increment(*id);
        }
    }
}

fn defined(kind: MetricType, key: &'static str, name: &str) -> Option<(&'static str, u32)> {
    match host::define_metric(kind, name) {
        Ok(id) => Some((key, id)),
        Err(_) => {
            log::warn!("leasehold: the host refuses the metric {name}");
            None
        }
    }
}
