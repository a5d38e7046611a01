//! `session.bind`: sessions that are good in one place only.

use super::errors::ConfigErrors;
use serde::{Deserialize, Serialize};
use session::ClaimPath;

/// A claim that must be what is known of the place a request came to; one of `value` and `property`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BindConfig {
    /// The claim, such as `container_name`; a text. A JSON Pointer names one inside another:
    /// `/kubernetes.io/pod/name`.
    pub claim: String,
    /// The place's name, where each listener has a configuration of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// An attribute of Envoy's that names the place, part by part: `[filter_state, container]`,
    /// `[xds, listener_metadata, filter_metadata, leasehold, container]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<Vec<String>>,
}

// === impl BindConfig ===

impl BindConfig {
    pub(crate) fn check(&self, errors: &mut ConfigErrors) {
        errors.keep("session.bind.claim", ClaimPath::parse(&self.claim));
        match (&self.value, &self.property) {
            (Some(value), None) if value.is_empty() => {
                errors.push("session.bind.value", "must not be empty");
            }
            (Some(_), None) => {}
            (None, Some(parts)) => check_property(parts, errors),
            (Some(_), Some(_)) | (None, None) => {
                errors.push("session.bind", "takes one of value and property");
            }
        }
    }
}

fn check_property(parts: &[String], errors: &mut ConfigErrors) {
    if parts.is_empty() || parts.iter().any(|part| part.is_empty() || part.contains('\0')) {
        errors.push("session.bind.property", "a list of names, such as [filter_state, x]");
    } else if let Some(name) = parts.first().filter(|name| is_xds(name)) {
        let hint = format!("Envoy has no attribute [{name}, ...]; write [xds, {name}, ...]");
        errors.push("session.bind.property", hint);
    }
}

/// Attributes that Envoy has under `xds` alone. Without it they are absent, and no session would match.
fn is_xds(name: &str) -> bool {
    matches!(
        name,
        "listener_metadata"
            | "listener_direction"
            | "route_metadata"
            | "virtual_host_metadata"
            | "cluster_metadata"
            | "upstream_host_metadata"
    )
}
