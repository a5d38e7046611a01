//! Where a Session JWT may be read from.

use super::errors::ConfigErrors;
use lease::is_hop_by_hop;
use serde::{Deserialize, Serialize};

/// A place in a request that may hold the Session JWT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CarrierConfig {
    /// `Proxy-Authorization: Bearer JWT`, or `Basic` with any user name and the JWT as password.
    ProxyAuthorization,
    /// `Authorization: Bearer JWT`, or `Basic` with any user name and the JWT as password.
    Authorization,
    /// A header of its own: `NAME: JWT` or `NAME: Bearer JWT`.
    Header(String),
}

// === impl CarrierConfig ===

impl CarrierConfig {
    pub(crate) fn check(&self, path: &str, errors: &mut ConfigErrors) {
        let Self::Header(name) = self else { return };
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        let taken =
            matches!(name.as_str(), "host" | "authorization" | "proxy-authorization" | "cookie")
                || name.starts_with("x-envoy-")
                || is_hop_by_hop(name.as_bytes());
        if name.is_empty() || !name.bytes().all(plain) {
            errors.push(
                format!("{path}.header"),
                "a header name in lower case, such as x-leasehold-session",
            );
        } else if taken {
            errors.push(format!("{path}.header"), format!("{name:?} has a meaning of its own"));
        }
    }
}
