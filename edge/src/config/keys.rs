//! `session.keys`: what Session JWTs are verified with.

use super::errors::ConfigErrors;
use super::span::Span;
use lease::Authority;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The issuer's public keys: here, or where they are fetched.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum KeysConfig {
    Inline(InlineKeys),
    Fetched(FetchedKeys),
}

/// Keys in the configuration itself.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct InlineKeys {
    /// A JWK Set (RFC 7517) of public keys, each with a `kid`: Ed25519, P-256 or RSA.
    pub jwks: serde_json::Value,
}

/// Keys that each worker fetches through an Envoy cluster, and keeps fresh.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
pub struct FetchedKeys {
    /// The name of the Envoy cluster that reaches the publisher of the issuer's keys.
    pub cluster: String,
    /// The path of the JWK Set there: of the issuer's `jwks_uri`.
    pub path: String,
    /// The `:authority` of the callout. Default: the host of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Between two fetches, give or take a tenth, 1 s to 1 h. A removed key is
    /// valid that much longer at most. Default: 5 m.
    #[cfg_attr(feature = "schema", schemars(default = "default_refresh"))]
    pub refresh: Span,
    /// How long the last good set stays while no fetch succeeds, 1 m to 7 d. Default: 24 h.
    #[cfg_attr(feature = "schema", schemars(default = "default_keep"))]
    pub keep: Span,
    /// How long a fetch may take, and a request wait for it, 10 ms to 30 s. Default: 2 s.
    #[cfg_attr(feature = "schema", schemars(default = "default_timeout"))]
    pub timeout: Span,
}

/// Either of the two, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, deserialize_with = "super::unique::value")]
    jwks: Option<serde_json::Value>,
    cluster: Option<String>,
    path: Option<String>,
    authority: Option<String>,
    refresh: Option<Span>,
    keep: Option<Span>,
    timeout: Option<Span>,
}

/// As in custody. With more than an hour, a removed key would be valid for longer than a session lives.
const REFRESH: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
const KEEP: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 24 * 3600);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(30);

fn default_refresh() -> Span {
    Span::from_secs(5 * 60)
}

fn default_keep() -> Span {
    Span::from_secs(24 * 3600)
}

fn default_timeout() -> Span {
    Span::from_secs(2)
}

// === impl KeysConfig ===

impl<'de> Deserialize<'de> for KeysConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let what = "is either {jwks}, or {cluster, path} to fetch them";
        let fields = Fields::deserialize(deserializer)?;
        let Fields { jwks, cluster, path, authority, refresh, keep, timeout } = fields;
        let spans = [refresh, keep, timeout].iter().any(Option::is_some);
        match (jwks, cluster, path) {
            (Some(jwks), None, None) if authority.is_none() && !spans => {
                Ok(Self::Inline(InlineKeys { jwks }))
            }
            (None, Some(cluster), Some(path)) => Ok(Self::Fetched(FetchedKeys {
                cluster,
                path,
                authority,
                refresh: refresh.unwrap_or_else(default_refresh),
                keep: keep.unwrap_or_else(default_keep),
                timeout: timeout.unwrap_or_else(default_timeout),
            })),
            _ => Err(D::Error::custom(what)),
        }
    }
}

// === impl FetchedKeys ===

impl FetchedKeys {
    /// `path` is where these keys are written.
    pub(crate) fn check(&self, path: &str, errors: &mut ConfigErrors) {
        if self.cluster.is_empty() {
            errors
                .push(format!("{path}.cluster"), "name the Envoy cluster that reaches the issuer");
        }
        let printable = self.path.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.path.starts_with('/') || !printable || self.path.contains('#') {
            errors.push(format!("{path}.path"), "is the path of a URL, as in \"/jwks.json\"");
        }
        let bounds = [
            ("refresh", self.refresh, REFRESH, "from 1s to 1h"),
            ("keep", self.keep, KEEP, "from 1m to 7d"),
            ("timeout", self.timeout, TIMEOUT, "from 10ms to 30s"),
        ];
        for (field, span, bounds, message) in bounds {
            if !bounds.contains(&span.get()) {
                errors.push(format!("{path}.{field}"), message);
            }
        }
    }

    /// The `:authority` of the callout. `issuer` is the one whose keys they are.
    pub(crate) fn authority(
        &self,
        path: &str,
        issuer: &str,
        errors: &mut ConfigErrors,
    ) -> Option<String> {
        let field = format!("{path}.authority");
        let own = self.authority.as_deref();
        let host = || issuer.strip_prefix("https://")?.split('/').next();
        let Some(authority) = own.or_else(host) else {
            errors.push(field, "is missing, and the issuer is not an https URL");
            return None;
        };
        let parsed = Authority::parse(authority.as_bytes(), 443);
        errors.keep(field, parsed).map(|_| authority.to_owned())
    }
}
