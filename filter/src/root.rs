//! One plugin configuration in one VM.

use crate::callouts::{TICK, Ticks};
use crate::host::{self, Failed};
use crate::metrics::Metrics;
use abi::types::BufferType;
use edge::TrustEdge;
use edge::UnixSeconds;
use edge::config::Config;
use edge::denial::Denial;
use edge::exchange::{Answer, AwaitLease, AwaitRequest, Denied, Request, Verdict};
use std::time::{SystemTime, UNIX_EPOCH};

/// A root context. Several may share a VM (Envoy keys VMs by code and `vm_id`), so everything that is
/// remembered hangs from one of these.
#[derive(Default)]
pub struct Root {
    edge: Option<TrustEdge>,
    pub metrics: Metrics,
    ticks: Ticks,
}

// === impl Root ===

impl Root {
    /// `false` makes Envoy refuse the configuration; with `FAIL_CLOSED` nothing passes without one.
    pub fn configure(&mut self, size: usize) -> bool {
        self.edge = None;
        let Ok(text) = host::buffer(BufferType::PluginConfiguration, size) else {
            log::error!("leasehold: the host does not hand over the plugin configuration");
            return false;
        };
        let policy = match Config::read(&text.unwrap_or_default()) {
            Ok(policy) => policy,
            Err(errors) => {
                for error in errors.iter() {
                    log::error!("leasehold: {error}");
                }
                return false;
            }
        };
        // Without it, a callout that is never answered would hold its request for ever.
        if let Err(Failed(status)) = host::set_tick_period(TICK) {
            log::error!("leasehold: the host sets no timer, status {status}");
            return false;
        }
        self.metrics = Metrics::define();
        self.edge = Some(TrustEdge::new(policy));
        true
    }

    pub fn admit(&mut self, phase: AwaitRequest, request: Request) -> Verdict {
        match &mut self.edge {
            Some(edge) => phase.admit(edge, request, now()),
            None => Verdict::Deny(Denied::new(Denial::NotConfigured, &request)),
        }
    }

    pub fn settle(&mut self, wait: AwaitLease, answer: Answer<'_>) -> Verdict {
        match &mut self.edge {
            Some(edge) => wait.settle(edge, answer, now()),
            None => Verdict::Deny(wait.abandon(Denial::NotConfigured)),
        }
    }

    pub fn ticks(&self) -> Ticks {
        self.ticks
    }

    /// One tick later.
    pub fn tick(&mut self) -> Ticks {
        self.ticks += 1;
        self.ticks
    }
}

fn now() -> UnixSeconds {
    // Before 1970 everything has expired: u64::MAX denies.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |elapsed| elapsed.as_secs())
}
