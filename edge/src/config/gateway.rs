//! `gateway`: the names under which guests call the edge itself.

use super::ConfigErrors;
use lease::Authority;
use serde::{Deserialize, Serialize};

/// How a gateway tells a base-URL request from one that names its upstream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The edge's own authorities (`edge.internal:8080`, port 80 if none). For these the first path
    /// segment names the upstream: `http://edge.internal:8080/api.openai.com/v1/models`. Any other
    /// authority is the upstream itself.
    #[serde(default)]
    pub authorities: Vec<String>,
}

/// The default port of `http` (RFC 9110 section 4.2.1).
pub(crate) const HTTP_PORT: u16 = 80;

// === impl GatewayConfig ===

impl GatewayConfig {
    pub(super) fn authorities(&self, errors: &mut ConfigErrors) -> Vec<Authority> {
        let parsed = self.authorities.iter().enumerate().filter_map(|(n, text)| {
            let path = format!("gateway.authorities[{n}]");
            errors.keep(path, Authority::parse(text.as_bytes(), HTTP_PORT))
        });
        parsed.collect()
    }
}
