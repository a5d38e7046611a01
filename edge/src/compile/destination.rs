//! `destinations`, made into an allow list.

use crate::config::credential::{CredentialConfig, LeaseBinding};
use crate::config::destination::{
    AllowConfig, ConditionConfig, ConditionWord, DestinationConfig, PathSyntaxConfig, Upgrade,
};
use crate::config::errors::ConfigErrors;
use crate::config::read::read_section;
use crate::policy::allow_list::{AllowList, Conflict};
use crate::policy::destination::{Credential, Destination, Methods, Rule};
use crate::policy::expected::{Condition, Expected};
use crate::policy::glob::PathGlob;
use crate::policy::operation::SingleUse;
use crate::policy::path_syntax::PathSyntax;
use crate::policy::proxy_headers::{is_for_proxies, read_as};
use lease::{Handle, HostPattern, is_hop_by_hop};
use serde_json::value::RawValue;
use session::names_its_issuer;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// With several issuers, conditions on claims have to name their issuer.
pub fn compile_allow_list(
    raw: &[&RawValue],
    has_several_issuers: bool,
    errors: &mut ConfigErrors,
) -> AllowList {
    let mut destinations = Vec::with_capacity(raw.len());
    for (n, raw) in raw.iter().enumerate() {
        let path = format!("destinations[{n}]");
        let config = read_section::<DestinationConfig>(raw, &path, errors);
        if let Some(config) = &config
            && has_several_issuers
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

/// `None` where anything is wrong; `errors` then has the reason.
fn compile_destination(
    config: &DestinationConfig,
    path: &str,
    errors: &mut ConfigErrors,
) -> Option<Destination> {
    config.check_name(path, errors);
    let parse_host = match config.credential.is_none() || config.allow_shared_suffixes {
        true => HostPattern::parse_shared,
        false => HostPattern::from_str,
    };
    let hosts = parse_each(&config.hosts, &format!("{path}.hosts"), errors, parse_host);
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
    let query =
        compile_conditions(&config.query, parameter_fault, &format!("{path}.query"), errors);
    let headers =
        compile_conditions(&config.headers, header_fault, &format!("{path}.headers"), errors);
    let websocket = config.upgrades.contains(&Upgrade::Websocket);
    Rule { methods: Methods::new(methods), paths, path_syntax, query, headers, websocket }
}

fn compile_conditions(
    config: &BTreeMap<String, ConditionConfig>,
    fault: fn(&str) -> Option<&'static str>,
    path: &str,
    errors: &mut ConfigErrors,
) -> Vec<Condition> {
    let conditions = config.iter().filter_map(|(name, expected)| {
        compile_condition(name, expected, fault(name), format!("{path}.{name}"), errors)
    });
    conditions.collect()
}

fn compile_condition(
    name: &str,
    config: &ConditionConfig,
    fault: Option<&'static str>,
    field: String,
    errors: &mut ConfigErrors,
) -> Option<Condition> {
    if let Some(fault) = fault {
        errors.push(field, fault);
        return None;
    }
    let expected = match config {
        ConditionConfig::Word(ConditionWord::Present) => Expected::Present,
        ConditionConfig::Word(ConditionWord::Absent) => Expected::Absent,
        ConditionConfig::OneOf(values) => {
            errors.check_not_empty(&field, values);
            Expected::OneOf(values.iter().map(|value| value.as_str().into()).collect())
        }
    };
    Some(Condition { name: name.into(), expected })
}

/// Why a rule cannot name this parameter.
fn parameter_fault(name: &str) -> Option<&'static str> {
    let plain = |b: u8| {
        b.is_ascii_graphic() && !matches!(b, b'&' | b';' | b'=' | b'?' | b'#' | b'%' | b'+')
    };
    let is_plain = !name.is_empty() && name.len() <= 256 && name.bytes().all(plain);
    (!is_plain).then_some("a decoded name of 1 to 256 visible characters, without & ; = ? # % +")
}

/// Why a rule cannot name this header.
fn header_fault(name: &str) -> Option<&'static str> {
    let plain =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(plain) {
        return Some("a header name in lower case, such as x-api-version");
    }
    let is_edges = is_for_proxies(&read_as(name.as_bytes())) || is_hop_by_hop(name.as_bytes());
    (is_edges || matches!(name, "host" | "content-length"))
        .then_some("the edge writes or removes this header, so a rule cannot expect it")
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

fn parse_all<T>(texts: &[String], path: &str, errors: &mut ConfigErrors) -> Vec<T>
where
    T: FromStr<Err: Display>,
{
    parse_each(texts, path, errors, T::from_str)
}

/// Returns the entries that parse. The others are errors under `path[n]`, an empty list is one under `path`.
fn parse_each<T, E: Display>(
    texts: &[String],
    path: &str,
    errors: &mut ConfigErrors,
    parse: fn(&str) -> Result<T, E>,
) -> Vec<T> {
    errors.check_not_empty(path, texts);
    let parsed = texts.iter().enumerate();
    parsed.filter_map(|(n, text)| errors.keep(format!("{path}[{n}]"), parse(text))).collect()
}
