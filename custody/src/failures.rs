//! Sources that failed: the log, the metrics and the failure notifier hear of each.

use crate::metrics::Metrics;
use crate::notify::{BackendFailure, Notifier};
use custody_backends::resolver::Failure;
use custody_base::actor::Actor;
use lease::Handle;
use std::sync::Arc;

/// Who hears of them.
#[derive(Clone)]
pub struct Failures {
    metrics: Arc<Metrics>,
    /// Of a webhook, if there is one.
    notifier: Option<Arc<Notifier>>,
}

// === impl Failures ===

impl Failures {
    pub fn new(metrics: Arc<Metrics>, notifier: Option<Notifier>) -> Self {
        Self { metrics, notifier: notifier.map(Arc::new) }
    }

    /// This source did not give this credential. Tell it also if another source did.
    pub fn report(&self, actor: &Actor, handle: &Handle, Failure { backend, fault }: &Failure) {
        tracing::error!(%handle, %actor, backend, %fault, "a source failed");
        self.metrics.backend_failed(fault.code());
        if let Some(notifier) = &self.notifier {
            notifier.report(&BackendFailure {
                backend: backend.clone(),
                actor: actor.to_string(),
                handle: handle.to_string(),
                code: fault.code(),
            });
        }
    }
}
