//! `posture`: how guests reach the edge.

use serde::{Deserialize, Serialize};

/// How guests reach the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PostureConfig {
    /// `HTTPS_PROXY`: a CONNECT, which the edge terminates, and the decrypted requests inside it.
    #[default]
    Explicit,
    /// The edge is called like the API itself, in plain HTTP or mesh mTLS.
    Gateway,
}
