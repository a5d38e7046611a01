//! `explicit`: how the explicit posture answers guests.

use serde::{Deserialize, Serialize};

/// How the explicit posture answers a CONNECT.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExplicitConfig {
    /// A CONNECT with a rejected session, or to a host that no destination lists, opens a tunnel in which the
    /// edge denies every request with the same code. Clients show such a denial, and few show the status of a
    /// CONNECT. Needs the listener `refused` of `envoy/explicit.yaml`, and leaf-ca's `--max-refused-names`.
    #[serde(default)]
    pub refuse_in_tunnel: bool,
}
