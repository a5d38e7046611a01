//! `custody`: whom to ask for a lease.

use super::errors::ConfigErrors;
use super::span::Span;
use super::sync::SyncSetting;
use lease::Authority;
use serde::{Deserialize, Serialize};

/// How custody is reached: an HTTP callout to an Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CustodyConfig {
    /// The name of the Envoy cluster (`outbound|8443||custody.ns.svc.cluster.local` in Istio).
    pub cluster: String,
    /// The `:authority` of the callout. Default: `custody.internal`.
    #[serde(default = "default_authority")]
    pub authority: String,
    /// How long a request waits for its lease, from 10 ms to 30 s. Default: 2 s.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// How the edge polls custody for revocations; `off`: it does not poll.
    #[serde(default)]
    pub sync: SyncSetting,
}

const MIN_TIMEOUT_MS: u128 = 10;
const MAX_TIMEOUT_MS: u128 = 30_000;

fn default_authority() -> String {
    "custody.internal".into()
}

fn default_timeout() -> Span {
    Span::from_secs(2)
}

// === impl CustodyConfig ===

impl CustodyConfig {
    pub(crate) fn check(&self, errors: &mut ConfigErrors) {
        if self.cluster.is_empty() {
            errors.push("custody.cluster", "name the Envoy cluster that reaches custody");
        }
        errors.keep("custody.authority", Authority::parse(self.authority.as_bytes(), 443));
        if !(MIN_TIMEOUT_MS..=MAX_TIMEOUT_MS).contains(&self.timeout.get().as_millis()) {
            errors.push("custody.timeout", "from 10ms to 30s");
        }
        self.sync.check(errors);
    }
}
