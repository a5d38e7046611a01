//! A configuration, made into a policy. Nothing else knows both.

mod sessions;

use crate::config::Config;
use crate::config::credential::{CredentialConfig, LeaseBinding};
use crate::config::custody::CustodyConfig;
use crate::config::destination::{AllowConfig, DestinationConfig, PathSyntaxConfig, Upgrade};
use crate::config::errors::ConfigErrors;
use crate::config::explicit::ExplicitConfig;
use crate::config::gateway::GatewayConfig;
use crate::config::inject::InjectConfig;
use crate::config::posture::PostureConfig;
use crate::config::read::{Sections, read_json, read_section, required};
use crate::config::session::SessionConfig;
use crate::config::version::PolicyVersionConfig;
use crate::policy::allow_list::{AllowList, Conflict};
use crate::policy::custody::{Custody, SyncSettings};
use crate::policy::destination::{Credential, Destination, Methods, Rule};
use crate::policy::glob::PathGlob;
use crate::policy::operation::SingleUse;
use crate::policy::path_syntax::PathSyntax;
use crate::policy::posture::{HTTP_PORT, Ingress, Posture};
use crate::policy::{Inject, Policy, PolicyVersion};
use lease::{Authority, Handle, HostPattern};
use serde_json::value::RawValue;
use session::names_its_issuer;
use sessions::{compile_binding, compile_carriers, compile_issuers};
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
    let explicit = match sections.explicit {
        Some(raw) => read_section::<ExplicitConfig>(raw, "explicit", errors).unwrap_or_default(),
        None => ExplicitConfig::default(),
    };
    if posture == Some(PostureConfig::Gateway) && sections.explicit.is_some() {
        errors.push("explicit", "belongs to \"posture\": \"explicit\"");
    }
    let inject = match sections.inject {
        Some(raw) => read_section::<InjectConfig>(raw, "inject", errors),
        None => Some(InjectConfig::default()),
    };
    let mut session = required(sections.session, "session", errors)
        .and_then(|raw| read_section::<SessionConfig>(raw, "session", errors));
    let leeway = session.as_ref().map(|session| session.checked_leeway(errors));
    let issuers =
        session.as_mut().and_then(|session| compile_issuers(session, leeway.unwrap_or(0), errors));
    let custody =
        sections.custody.and_then(|raw| read_section::<CustodyConfig>(raw, "custody", errors));
    if let Some(custody) = &custody {
        custody.check(errors);
    }
    let destinations = required(sections.destinations.as_ref(), "destinations", errors);
    let several = issuers.as_ref().is_some_and(|issuers| issuers.len() > 1);
    let allow_list = compile_allow_list(destinations?, several, errors);
    if sections.custody.is_none() && allow_list.needs_custody() {
        errors.push("custody", "is missing, and a destination has a credential");
    }
    let posture = posture?;
    let session = session?;
    Some(Policy {
        version: version.map(compile_version),
        inject: compile_inject(inject?),
        ingress: compile_ingress(posture, &gateway, errors),
        refuses_in_tunnel: explicit.refuse_in_tunnel,
        carriers: compile_carriers(&session, posture, errors),
        issuers: issuers?,
        leeway: leeway?,
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

fn compile_custody(config: CustodyConfig) -> Custody {
    let sync = config.sync.config().map(|sync| SyncSettings {
        wait: sync.wait.get(),
        max_staleness: sync.max_staleness.get(),
    });
    let CustodyConfig { cluster, authority, timeout, .. } = config;
    Custody { cluster, authority, timeout: timeout.get(), sync }
}

/// `several`: there are several issuers, so conditions on claims have to say whose claims they mean.
fn compile_allow_list(raw: &[&RawValue], several: bool, errors: &mut ConfigErrors) -> AllowList {
    let mut destinations = Vec::with_capacity(raw.len());
    for (n, raw) in raw.iter().enumerate() {
        let path = format!("destinations[{n}]");
        let config = read_section::<DestinationConfig>(raw, &path, errors);
        if let Some(config) = &config
            && several
            && !names_its_issuer(&config.sessions.claims)
        {
            let message = "names no issuer, and session has several; add iss: [\"https://...\"]";
            errors.push(format!("{path}.sessions.claims"), message);
        }
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
    let path_syntax = config.path_syntax.iter().map(compile_path_syntax).collect();
    let paths = compile_paths(&config.paths, path_syntax, &format!("{path}.paths"), errors);
    let websocket = config.upgrades.contains(&Upgrade::Websocket);
    Rule { methods: Methods::new(methods), paths, path_syntax, websocket }
}

fn compile_path_syntax(config: &PathSyntaxConfig) -> PathSyntax {
    match config {
        PathSyntaxConfig::EncodedSlash => PathSyntax::ENCODED_SLASH,
        PathSyntaxConfig::Parameters => PathSyntax::PARAMETERS,
        PathSyntaxConfig::EmptySegments => PathSyntax::EMPTY_SEGMENTS,
        PathSyntaxConfig::DoubleEncoding => PathSyntax::DOUBLE_ENCODING,
        PathSyntaxConfig::NonUtf8 => PathSyntax::NON_UTF8,
    }
}

fn compile_paths(
    texts: &[String],
    allowed: PathSyntax,
    path: &str,
    errors: &mut ConfigErrors,
) -> Vec<PathGlob> {
    errors.check_not_empty(path, texts);
    let mut globs: Vec<PathGlob> = Vec::with_capacity(texts.len());
    for (n, text) in texts.iter().enumerate() {
        let field = format!("{path}[{n}]");
        let Some(glob) = errors.keep(&field, text.parse::<PathGlob>()) else { continue };
        let missing = glob.syntax().without(allowed);
        if !missing.is_empty() {
            errors.push(field, format!("{text:?} needs path_syntax: [{missing}]"));
        }
        globs.push(glob);
    }
    globs
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
