//! `session.issuers`: whose Session JWTs are good, an issuer an entry.

use super::keys::KeysConfig;
use super::span::Span;
use serde::{Deserialize, Serialize};
use session::{Algorithm, ClaimConditions, LIFETIME_DEFAULT, Rules, SessionName};

/// One issuer: its keys verify its own tokens, and no other issuer's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` of its tokens (RFC 7519 section 4.1.1), byte for byte.
    pub issuer: String,
    /// The values of which `aud` must be or hold one (RFC 7519 section 4.1.3).
    pub audiences: Vec<String>,
    pub keys: KeysConfig,
    /// The algorithms of its tokens: `EdDSA`, `ES256`, `RS256`. Default: all three.
    #[serde(default = "default_algorithms")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub algorithms: Vec<Algorithm>,
    /// A session ends at its token's `exp`, and this long after its `iat` at the latest; from 1s to 24h.
    /// Default: 1 h. Longer than an hour, a leaked token is good for longer.
    #[serde(default = "default_max_lifetime")]
    pub max_lifetime: Span,
    /// The name of a session: a claim, a list of claims (each a text), or `token_digest`, with which each
    /// token is a session. Default: `sid` where a token has it, else `jti`; then a token needs `jti` and
    /// `sub`. Custody must have the same `id`.
    #[serde(default, skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<OneOrMany>"))]
    pub id: SessionName,
    /// Further conditions on the claims of a token, as in `destinations[].sessions.claims`.
    #[serde(default, skip_serializing_if = "ClaimConditions::is_empty")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "std::collections::BTreeMap<String, Vec<serde_json::Value>>")
    )]
    pub required_claims: ClaimConditions,
}

/// For the schema.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn default_algorithms() -> Vec<Algorithm> {
    Algorithm::ALL.to_vec()
}

fn default_max_lifetime() -> Span {
    Span::from_secs(LIFETIME_DEFAULT)
}

fn is_default(name: &SessionName) -> bool {
    *name == SessionName::default()
}

// === impl IssuerConfig ===

impl IssuerConfig {
    /// An issuer of the short form, which has no more than this.
    pub(crate) fn short(issuer: String, audience: String, keys: KeysConfig) -> Self {
        Self {
            issuer,
            audiences: vec![audience],
            keys,
            algorithms: default_algorithms(),
            max_lifetime: default_max_lifetime(),
            id: SessionName::default(),
            required_claims: ClaimConditions::default(),
        }
    }

    pub(crate) fn rules(&self, leeway: u64) -> Rules {
        Rules {
            issuer: self.issuer.clone(),
            audiences: self.audiences.clone(),
            algorithms: self.algorithms.clone(),
            max_lifetime: self.max_lifetime.get().as_secs(),
            name: self.id.clone(),
            required_claims: self.required_claims.clone(),
            leeway,
        }
    }
}
