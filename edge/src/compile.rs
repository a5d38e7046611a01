//! A configuration, made into a policy. The one file that knows both.

use crate::config::Config;
use crate::config::bind::BindConfig;
use crate::config::carrier::CarrierConfig;
use crate::config::credential::{CredentialConfig, LeaseBinding};
use crate::config::custody::CustodyConfig;
use crate::config::destination::{AllowConfig, DestinationConfig, Upgrade};
use crate::config::errors::ConfigErrors;
use crate::config::gateway::GatewayConfig;
use crate::config::inject::InjectConfig;
use crate::config::keys::{FetchedKeys, InlineKeys, KeysConfig};
use crate::config::posture::PostureConfig;
use crate::config::read::{Sections, read_json, read_section, required};
use crate::config::session::SessionConfig;
use crate::config::version::PolicyVersionConfig;
use crate::policy::allow_list::{AllowList, Conflict};
use crate::policy::binding::{BindingSource, SessionBinding};
use crate::policy::carrier::Carrier;
use crate::policy::custody::{Custody, SyncSettings};
use crate::policy::destination::{Credential, Destination, Methods, Rule};
use crate::policy::key_source::{Issuer, KeySource};
use crate::policy::operation::SingleUse;
use crate::policy::posture::{HTTP_PORT, Ingress, Posture};
use crate::policy::{Inject, Policy, PolicyVersion};
use lease::{Authority, Handle, HostPattern};
use serde_json::value::RawValue;
use session::KeySet;
use std::fmt::Display;
use std::str::FromStr;

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
}

fn compile(text: &[u8], errors: &mut ConfigErrors) -> Option<Policy> {
    let sections: Sections<'_> = read_json(text, "", errors)?;
    let version =
        sections.policy.and_then(|raw| read_section::<PolicyVersionConfig>(raw, "policy", errors));
    if let Some(version) = &version {
        version.check(errors);
    }
    let posture = match sections.posture {
        Some(raw) => read_section::<PostureConfig>(raw, "posture", errors),
        None => Some(PostureConfig::default()),
    };
    let gateway = match sections.gateway {
        Some(raw) => read_section::<GatewayConfig>(raw, "gateway", errors).unwrap_or_default(),
        None => GatewayConfig::default(),
    };
    if posture == Some(PostureConfig::Explicit) && sections.gateway.is_some() {
        errors.push("gateway", "belongs to \"posture\": \"gateway\"");
    }
    let inject = match sections.inject {
        Some(raw) => read_section::<InjectConfig>(raw, "inject", errors),
        None => Some(InjectConfig::default()),
    };
    let session = required(sections.session, "session", errors)
        .and_then(|raw| read_section::<SessionConfig>(raw, "session", errors));
    let custody =
        sections.custody.and_then(|raw| read_section::<CustodyConfig>(raw, "custody", errors));
    if let Some(custody) = &custody {
        custody.check(errors);
    }
    let destinations = required(sections.destinations.as_ref(), "destinations", errors);
    let allow_list = compile_allow_list(destinations?, errors);
    if sections.custody.is_none() && allow_list.needs_custody() {
        errors.push("custody", "is missing, and a destination has a credential");
    }
    let posture = posture?;
    let session = session?;
    Some(Policy {
        version: version.map(compile_version),
        inject: compile_inject(inject?),
        ingress: compile_ingress(posture, &gateway, errors),
        carriers: compile_carriers(&session, posture, errors),
        keys: compile_keys(&session, errors)?,
        rules: session.rules(errors),
        binding: session.bind.as_ref().and_then(|bind| compile_binding(bind, errors)),
        custody: custody.map(compile_custody),
        allow_list,
    })
}

fn compile_version(config: PolicyVersionConfig) -> PolicyVersion {
    let PolicyVersionConfig { name, generation } = config;
    PolicyVersion { name, generation }
}

fn compile_inject(config: InjectConfig) -> Inject {
    match config {
        InjectConfig::Downstream => Inject::Downstream,
        InjectConfig::Upstream => Inject::Upstream,
    }
}

fn compile_ingress(
    posture: PostureConfig,
    gateway: &GatewayConfig,
    errors: &mut ConfigErrors,
) -> Ingress {
    let parsed = gateway.authorities.iter().enumerate().filter_map(|(n, text)| {
        let path = format!("gateway.authorities[{n}]");
        errors.keep(path, Authority::parse(text.as_bytes(), HTTP_PORT))
    });
    let own_authorities = parsed.collect();
    let posture = match posture {
        PostureConfig::Explicit => Posture::Explicit,
        PostureConfig::Gateway => Posture::Gateway,
    };
    Ingress { posture, own_authorities }
}

fn compile_carriers(
    session: &SessionConfig,
    posture: PostureConfig,
    errors: &mut ConfigErrors,
) -> Vec<Carrier> {
    let Some(carriers) = &session.carriers else {
        return match posture {
            PostureConfig::Explicit => vec![Carrier::ProxyAuthorization],
            PostureConfig::Gateway => vec![
                Carrier::Header("x-leasehold-session".into()),
                Carrier::Authorization,
                Carrier::Header("x-api-key".into()),
            ],
        };
    };
    if carriers.is_empty() {
        errors.push("session.carriers", "name at least one place to read the session from");
    }
    let compiled = carriers.iter().enumerate().map(|(n, carrier)| {
        carrier.check(&format!("session.carriers[{n}]"), errors);
        match carrier {
            CarrierConfig::ProxyAuthorization => Carrier::ProxyAuthorization,
            CarrierConfig::Authorization => Carrier::Authorization,
            CarrierConfig::Header(name) => Carrier::Header(name.clone()),
        }
    });
    compiled.collect()
}

fn compile_keys(session: &SessionConfig, errors: &mut ConfigErrors) -> Option<KeySource> {
    let jwks = match &session.keys {
        KeysConfig::Inline(InlineKeys { jwks }) => jwks,
        KeysConfig::Fetched(fetched) => {
            return compile_issuer(fetched, &session.issuer, errors).map(KeySource::Fetched);
        }
    };
    match KeySet::from_jwks(jwks) {
        Ok(keys) => Some(KeySource::Fixed(keys)),
        Err(faults) => {
            for fault in faults {
                errors.push(join("session.keys.jwks", fault.path()), fault.reason());
            }
            None
        }
    }
}

/// `issuer` is the one whose keys they are.
fn compile_issuer(config: &FetchedKeys, issuer: &str, errors: &mut ConfigErrors) -> Option<Issuer> {
    config.check(errors);
    Some(Issuer {
        cluster: config.cluster.clone(),
        path: config.path.clone(),
        authority: config.authority(issuer, errors)?,
        refresh: config.refresh.get(),
        keep: config.keep.get(),
        timeout: config.timeout.get(),
    })
}

fn join(base: &str, path: &str) -> String {
    if path.is_empty() { base.to_owned() } else { format!("{base}.{path}") }
}

fn compile_binding(config: &BindConfig, errors: &mut ConfigErrors) -> Option<SessionBinding> {
    config.check(errors);
    let source = match (&config.value, &config.property) {
        (Some(value), None) => BindingSource::Named(value.clone()),
        (None, Some(parts)) => BindingSource::Attribute(parts.join("\0")),
        // Both, or neither: the check has noted it.
        _ => return None,
    };
    Some(SessionBinding { claim: config.claim.clone(), source })
}

fn compile_custody(config: CustodyConfig) -> Custody {
    let sync = config.sync.config().map(|sync| SyncSettings {
        wait: sync.wait.get(),
        max_staleness: sync.max_staleness.get(),
    });
    let CustodyConfig { cluster, authority, timeout, .. } = config;
    Custody { cluster, authority, timeout: timeout.get(), sync }
}

fn compile_allow_list(raw: &[&RawValue], errors: &mut ConfigErrors) -> AllowList {
    let mut destinations = Vec::with_capacity(raw.len());
    for (n, raw) in raw.iter().enumerate() {
        let path = format!("destinations[{n}]");
        let config = read_section::<DestinationConfig>(raw, &path, errors);
        destinations.extend(config.and_then(|config| compile_destination(&config, &path, errors)));
    }
    let (allow_list, conflicts) = AllowList::new(destinations);
    for (n, conflict) in conflicts {
        match conflict {
            Conflict::Name(name) => {
                errors.push(format!("destinations[{n}].name"), format!("{name:?} is used twice"));
            }
            Conflict::Credential(name) => errors.push(
                format!("destinations[{n}]"),
                format!("matches requests that {name:?} matches too, with another credential"),
            ),
        }
    }
    allow_list
}

/// `None` where anything is wrong; what, stands in `errors`.
fn compile_destination(
    config: &DestinationConfig,
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<Destination> {
    config.check_name(path, errors);
    let hosts: Vec<HostPattern> = parse_all(&config.hosts, &format!("{path}.hosts"), errors);
    config.check_ports(path, errors);
    errors.check_not_empty(&format!("{path}.allow"), &config.allow);
    let allow = config.allow.iter().enumerate();
    let allow =
        allow.map(|(n, rule)| compile_rule(rule, &format!("{path}.allow[{n}]"), errors)).collect();
    let credential = match &config.credential {
        None => None,
        Some(config) => Some(compile_credential(config, &format!("{path}.credential"), errors)?),
    };
    Some(Destination {
        name: config.name.clone(),
        hosts,
        ports: config.ports.clone(),
        allow,
        sessions: config.sessions.claims.clone(),
        credential,
    })
}

fn compile_rule(config: &AllowConfig, path: &str, errors: &mut ConfigErrors) -> Rule {
    let methods = parse_all(&config.methods, &format!("{path}.methods"), errors);
    let paths = parse_all(&config.paths, &format!("{path}.paths"), errors);
    let websocket = config.upgrades.contains(&Upgrade::Websocket);
    Rule { methods: Methods::new(methods), paths, websocket }
}

fn compile_credential(
    config: &CredentialConfig,
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<Credential> {
    config.check(path, errors);
    let handle: Handle = errors.keep(format!("{path}.handle"), config.handle.parse())?;
    let single_use = match config.binding {
        LeaseBinding::Session => None,
        LeaseBinding::SingleUse => Some(SingleUse {
            key_header: config.key_header().into(),
            body: config.body_digest.then_some(config.max_body()),
        }),
    };
    Some(Credential { handle, single_use })
}

/// What parses; the rest is noted under `path[n]`, an empty list under `path`.
fn parse_all<T>(texts: &[String], path: &str, errors: &mut ConfigErrors) -> Vec<T>
where
    T: FromStr<Err: Display>,
{
    errors.check_not_empty(path, texts);
    let parsed = texts.iter().enumerate();
    parsed.filter_map(|(n, text)| errors.keep(format!("{path}[{n}]"), text.parse())).collect()
}

#[cfg(test)]
mod tests;
