//! The plugin configuration: one JSON object, read whole or not at all.
//!
//! Shape and meaning are checked section by section, so that one run shows every mistake. No message
//! repeats a value but host and path patterns, which are policy and no secret.

mod bind;
mod carrier;
mod credential;
mod custody;
mod destination;
mod errors;
mod gateway;
mod inject;
mod keys;
mod session;
mod span;
mod sync;
mod version;

pub use bind::BindConfig;
pub use carrier::Carrier;
pub use credential::{CredentialConfig, LeaseBinding};
pub use custody::CustodyConfig;
pub use destination::{AllowConfig, DestinationConfig, SessionsConfig, Upgrade};
pub use errors::{ConfigError, ConfigErrors};
pub use gateway::GatewayConfig;
pub(crate) use gateway::HTTP_PORT;
pub use inject::{Inject, is_for_attempts};
pub use keys::{FetchedKeys, InlineKeys, KeysConfig};
pub use session::SessionConfig;
pub use span::Span;
pub use sync::{Off, SyncConfig, SyncSetting};
pub use version::PolicyVersion;

use crate::allow_list::AllowList;
use crate::policy::Policy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How guests reach the edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Posture {
    /// `HTTPS_PROXY`: a CONNECT, which the edge terminates, and the decrypted requests inside it.
    #[default]
    Explicit,
    /// The edge is called like the API itself, in plain HTTP or mesh mTLS.
    Gateway,
}

/// The plugin configuration of the Leasehold filter.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Needed to have a newer policy judge the requests of a listener that drains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyVersion>,
    #[serde(default)]
    pub posture: Posture,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayConfig>,
    #[serde(default)]
    pub inject: Inject,
    pub session: SessionConfig,
    /// Needed as soon as one destination has a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custody: Option<CustodyConfig>,
    /// The allow-list; what is not on it is denied.
    pub destinations: Vec<DestinationConfig>,
}

/// The same object, its sections still text. Keeping the text lets serde see repeated fields, which
/// a parsed value has already lost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object: session, custody, destinations, ...")]
struct Sections<'a> {
    #[serde(borrow)]
    policy: Option<&'a RawValue>,
    #[serde(borrow)]
    posture: Option<&'a RawValue>,
    #[serde(borrow)]
    gateway: Option<&'a RawValue>,
    #[serde(borrow)]
    inject: Option<&'a RawValue>,
    #[serde(borrow)]
    session: Option<&'a RawValue>,
    #[serde(borrow)]
    custody: Option<&'a RawValue>,
    #[serde(borrow)]
    destinations: Option<Vec<&'a RawValue>>,
}

// === impl Config ===

impl Config {
    /// Reads and compiles a configuration.
    ///
    /// # Errors
    /// Every fault of it, with the path of the field.
    pub fn read(text: &[u8]) -> Result<Policy, ConfigErrors> {
        let mut errors = ConfigErrors::default();
        let policy = compile(text, &mut errors);
        match policy {
            Some(policy) if errors.is_empty() => Ok(policy),
            _ => Err(errors),
        }
    }

    /// The JSON Schema (draft 2020-12) of the configuration.
    #[cfg(feature = "schema")]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

fn compile(text: &[u8], errors: &mut ConfigErrors) -> Option<Policy> {
    let sections: Sections<'_> = read_json(text, "", errors)?;
    let version =
        sections.policy.and_then(|raw| read_section::<PolicyVersion>(raw, "policy", errors));
    if let Some(version) = &version {
        version.check(errors);
    }
    let posture = match sections.posture {
        Some(raw) => read_section::<Posture>(raw, "posture", errors),
        None => Some(Posture::default()),
    };
    let gateway = match sections.gateway {
        Some(raw) => read_section::<GatewayConfig>(raw, "gateway", errors).unwrap_or_default(),
        None => GatewayConfig::default(),
    };
    if posture == Some(Posture::Explicit) && sections.gateway.is_some() {
        errors.push("gateway", "belongs to \"posture\": \"gateway\"");
    }
    let inject = match sections.inject {
        Some(raw) => read_section::<Inject>(raw, "inject", errors),
        None => Some(Inject::default()),
    };
    let session = required(sections.session, "session", errors)
        .and_then(|raw| read_section::<SessionConfig>(raw, "session", errors));
    let custody =
        sections.custody.and_then(|raw| read_section::<CustodyConfig>(raw, "custody", errors));
    if let Some(custody) = &custody {
        custody.check(errors);
    }
    let destinations = required(sections.destinations.as_ref(), "destinations", errors);
    let allow_list = AllowList::new(read_destinations(destinations?, errors), errors);
    if sections.custody.is_none() && allow_list.needs_custody() {
        errors.push("custody", "is missing, and a destination has a credential");
    }
    let posture = posture?;
    let session = session?;
    Some(Policy {
        version,
        posture,
        inject: inject?,
        own_authorities: gateway.authorities(errors),
        carriers: session.carriers(posture, errors),
        keys: session.keys.source(&session.issuer, errors)?,
        rules: session.rules(errors),
        binding: session.bind.as_ref().and_then(|bind| bind.compile(errors)),
        custody,
        allow_list,
    })
}

fn read_destinations(
    raw: &[&RawValue],
    errors: &mut ConfigErrors,
) -> Vec<crate::destination::Destination> {
    let mut destinations = Vec::with_capacity(raw.len());
    for (n, raw) in raw.iter().enumerate() {
        let path = format!("destinations[{n}]");
        let config = read_section::<DestinationConfig>(raw, &path, errors);
        destinations.extend(config.and_then(|config| config.compile(&path, errors)));
    }
    destinations
}

fn required<T>(section: Option<T>, path: &str, errors: &mut ConfigErrors) -> Option<T> {
    if section.is_none() {
        errors.push(path, "is missing");
    }
    section
}

fn read_section<T: DeserializeOwned>(
    raw: &RawValue,
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<T> {
    read_json(raw.get().as_bytes(), path, errors)
}

fn read_json<'a, T: Deserialize<'a>>(
    text: &'a [u8],
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<T> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.path().to_string();
        (inner, without_values(error.inner()))
    });
    let read = read.and_then(|value| match json.end() {
        Ok(()) => Ok(value),
        Err(error) => Err((String::new(), without_values(&error))),
    });
    match read {
        Ok(value) => Some(value),
        Err((inner, message)) => {
            errors.push(field_path(path, &inner), message);
            None
        }
    }
}

fn field_path(section: &str, inner: &str) -> String {
    match (section, inner) {
        (section, "." | "") => section.to_owned(),
        ("", inner) => inner.to_owned(),
        (section, inner) if inner.starts_with('[') => format!("{section}{inner}"),
        (section, inner) => format!("{section}.{inner}"),
    }
}

/// serde's message without the value that it did not like: `invalid type: string "x", expected u16`
/// becomes `expected u16`. Somebody may have pasted a secret where it does not belong.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if text.starts_with("invalid ") {
        if let Some((_, expected)) = text.rsplit_once(", expected ") {
            return format!("expected {expected}");
        }
        return "has the wrong type".to_owned();
    }
    text.to_owned()
}

#[cfg(test)]
mod tests;
