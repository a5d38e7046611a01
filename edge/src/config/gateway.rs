//! `gateway`: the names under which guests call the edge itself.

use serde::{Deserialize, Serialize};

/// The names of a gateway, and the links to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The edge's own authorities (`edge.internal:8080`, port 80 if none). For these the first path
    /// segment names the upstream: `http://edge.internal:8080/api.openai.com/v1/models`. Any other
    /// authority is the upstream itself.
    #[serde(default)]
    pub authorities: Vec<String>,
    /// How guests call these names. With it, `Location`, `Content-Location` and `Link` of a response that name
    /// the destination name it below the edge's own name. Absent: they stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite_links: Option<LinkSchemeConfig>,
}

/// The scheme of the links to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LinkSchemeConfig {
    /// `http://edge.internal:8080/api.example.com/next`
    Http,
    /// `https://edge.internal/api.example.com/next`
    Https,
}
