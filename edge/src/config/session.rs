//! `session`: whose Session JWTs are good.

use super::bind::BindConfig;
use super::carrier::CarrierConfig;
use super::errors::ConfigErrors;
use super::keys::KeysConfig;
use super::span::Span;
use serde::{Deserialize, Serialize};
use session::{LEEWAY_CEILING, LEEWAY_DEFAULT, Rules};

/// Which Session JWTs are accepted, and where they are read from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionConfig {
    /// The one `iss` that is accepted (RFC 7519 section 4.1.1).
    pub issuer: String,
    /// What `aud` must be or hold (RFC 7519 section 4.1.3).
    pub audience: String,
    pub keys: KeysConfig,
    /// How far clocks may differ when `nbf` and `iat` are read; at most five minutes. A session ends at `exp`.
    #[serde(default = "default_leeway")]
    pub leeway: Span,
    /// Where the token may stand, in this order. Default: `proxy-authorization` in the explicit
    /// posture; the header `x-leasehold-session`, `authorization`, then the header `x-api-key` in the gateway
    /// posture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carriers: Option<Vec<CarrierConfig>>,
    /// Binds each session to the place its requests come to; any place if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<BindConfig>,
}

const MAX_LEEWAY: Span = Span::from_secs(LEEWAY_CEILING);

fn default_leeway() -> Span {
    Span::from_secs(LEEWAY_DEFAULT)
}

// === impl SessionConfig ===

impl SessionConfig {
    pub(crate) fn rules(&self, errors: &mut ConfigErrors) -> Rules {
        for (field, text) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if text.is_empty() {
                errors.push(format!("session.{field}"), "must not be empty");
            }
        }
        if self.leeway > MAX_LEEWAY {
            errors.push("session.leeway", format!("at most {LEEWAY_CEILING}s"));
        }
        Rules {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            leeway: self.leeway.get().as_secs(),
        }
    }
}
