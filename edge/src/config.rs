//! The plugin configuration as it is written: one JSON object, read whole or not at all.
//!
//! Shape and meaning are checked section by section, so that one run shows every mistake. No message
//! repeats a value but host and path patterns, which are policy and no secret. `compile.rs`
//! makes a policy of it.

pub mod bind;
pub mod carrier;
pub mod credential;
pub mod custody;
pub mod destination;
pub mod errors;
pub mod explicit;
pub mod gateway;
pub mod inject;
pub mod issuer;
pub mod keys;
pub mod posture;
pub(crate) mod read;
pub mod session;
pub mod span;
pub mod sync;
mod unique;
pub mod version;

pub use inject::is_for_attempts;

use custody::CustodyConfig;
use destination::DestinationConfig;
use explicit::ExplicitConfig;
use gateway::GatewayConfig;
use inject::InjectConfig;
use posture::PostureConfig;
use serde::{Deserialize, Serialize};
use session::SessionConfig;
use version::PolicyVersionConfig;

/// The plugin configuration of the Leasehold filter.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Needed to have a newer policy judge the requests of a listener that drains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyVersionConfig>,
    #[serde(default)]
    pub posture: PostureConfig,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explicit: Option<ExplicitConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayConfig>,
    #[serde(default)]
    pub inject: InjectConfig,
    pub session: SessionConfig,
    /// Needed as soon as one destination has a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custody: Option<CustodyConfig>,
    /// The allow-list; what is not on it is denied.
    pub destinations: Vec<DestinationConfig>,
}

// === impl Config ===

impl Config {
    /// The JSON Schema (draft 2020-12) of the configuration.
    #[cfg(feature = "schema")]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}
