//! `gateway`: the names under which guests call the edge itself.

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
