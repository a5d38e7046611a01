//! `destinations`: the allow-list, an entry each.

use super::credential::CredentialConfig;
use super::errors::ConfigErrors;
use lease::HTTPS_PORT;
use serde::{Deserialize, Serialize};
use session::ClaimConditions;
use std::collections::BTreeMap;

/// One entry of the allow-list: hosts, what may be asked of them, by whom, with which credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DestinationConfig {
    /// For people, logs and metrics; unique.
    pub name: String,
    /// `api.example.com`, or `*.example.com` for the names below it (never `example.com` itself).
    pub hosts: Vec<String>,
    /// Accept that the credential goes to every owner of a name below a shared suffix, as in
    /// `*.github.io`. Without a credential such a wildcard needs no word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_shared_suffixes: bool,
    /// Default: 443.
    #[serde(default = "default_ports")]
    pub ports: Vec<u16>,
    /// The rules for requests; a request passes if one of them matches.
    pub allow: Vec<AllowConfig>,
    /// Which sessions may; all valid ones if absent.
    #[serde(default)]
    pub sessions: SessionsConfig,
    /// The credential that the edge injects; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialConfig>,
}

/// Methods and paths that may be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AllowConfig {
    /// `GET`, `POST`, ...; `*` for every method of the HTTP Method Registry.
    pub methods: Vec<String>,
    /// Globs over the canonical path without the query: `*` within a segment, `**` for any number of
    /// segments.
    pub paths: Vec<String>,
    /// Spellings of paths that some servers read in another way; none if absent. Name those that this server
    /// keeps as part of a segment. It is matched there by `*`, and forwarded as it was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_syntax: Vec<PathSyntaxConfig>,
    /// Conditions on parameters of the query, by name. Other parameters do not matter.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "super::unique::map"
    )]
    pub query: BTreeMap<String, ConditionConfig>,
    /// Conditions on headers, by name in lower case. Other headers do not matter.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "super::unique::map"
    )]
    pub headers: BTreeMap<String, ConditionConfig>,
    /// The protocols that such a request may upgrade to; none if absent. The edge does not judge the
    /// traffic of an upgraded connection, so on some APIs a GET that upgrades can do more than read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upgrades: Vec<Upgrade>,
}

/// A condition of a rule on a parameter or on a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected a list of values, or one of the words present and absent")]
pub enum ConditionConfig {
    Word(ConditionWord),
    /// It is there once, with one of these values.
    OneOf(Vec<String>),
}

/// A condition without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ConditionWord {
    /// It is there once, with any value.
    Present,
    /// It is not there, in any spelling.
    Absent,
}

/// A spelling that some servers read in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PathSyntaxConfig {
    /// `%2F` is data: `/projects/group%2Fproject` has two segments.
    EncodedSlash,
    /// `;` is data, or begins parameters of its segment. The rule must match the path without them, too.
    Parameters,
    /// `//` within a path. `**` matches it, and so does a pattern that spells it out.
    EmptySegments,
    /// `%252F` is data: the server decodes once.
    DoubleEncoding,
    /// Escapes that are not UTF-8 (`%E9`).
    NonUtf8,
}

/// A protocol that a request may upgrade to (RFC 9110 section 7.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Upgrade {
    /// RFC 6455.
    Websocket,
}

/// Conditions on the session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// Each claim named, or pointed at within others (`/kubernetes.io/namespace`), must fit one of the values,
    /// or be a list that holds one that fits. Values compare as JSON; a text with `*` is a glob.
    #[serde(default)]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "std::collections::BTreeMap<String, Vec<serde_json::Value>>")
    )]
    pub claims: ClaimConditions,
}

fn default_ports() -> Vec<u16> {
    vec![HTTPS_PORT]
}

// === impl DestinationConfig ===

impl DestinationConfig {
    pub(crate) fn check_name(&self, path: &str, errors: &mut ConfigErrors) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(plain) {
            errors.push(format!("{path}.name"), "1 to 64 of A-Z a-z 0-9 . _ -");
        }
    }

    pub(crate) fn check_ports(&self, path: &str, errors: &mut ConfigErrors) {
        errors.check_not_empty(&format!("{path}.ports"), &self.ports);
        for (n, port) in self.ports.iter().enumerate() {
            let field = format!("{path}.ports[{n}]");
            match port {
                0 => errors.push(field, "a port is a number from 1 to 65535"),
                80 if self.credential.is_some() => errors.push(
                    field,
                    "port 80 is plain HTTP, where a credential would travel in the clear",
                ),
                _ => {}
            }
        }
    }
}
