//! `inject`: where in Envoy a lease is written into a request.

use serde::{Deserialize, Serialize};

/// When a request gets its lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InjectConfig {
    /// When it is judged, once.
    #[default]
    Downstream,
    /// Once an attempt, by a second filter of this module in `upstream_http_filters`, so that a request
    /// whose credential was refused may be tried again with another one: `envoy/variants/retry.yaml`.
    Upstream,
}

/// The whole configuration of that second filter: `{"attempts": true}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Second {
    attempts: bool,
}

/// Is this the configuration of a filter that serves attempts?
pub fn is_for_attempts(text: &[u8]) -> bool {
    serde_json::from_slice(text).is_ok_and(|Second { attempts }| attempts)
}
