//! `grants`: which sessions may lease what.

use super::fault::Faults;
use crate::grants::{DestinationPattern, Grant, GrantActor, GrantedBinding, Grants};
use custody_backends::Restriction;
use custody_base::actor::Actor;
use lease::{Handle, LEASE_CEILING, LEASE_DEFAULT};
use serde::Deserialize;
use serde_yaml_ng::Value;
use session::{ClaimConditions, names_its_issuer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::str::FromStr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    handle: String,
    actor: Option<Value>,
    destinations: Vec<String>,
    #[serde(default)]
    allow_shared_suffixes: bool,
    claims: ClaimConditions,
    methods: Option<Vec<String>>,
    ttl: Option<String>,
    #[serde(default)]
    binding: GrantedBinding,
    purpose: Option<String>,
    #[serde(default)]
    narrow: RawRestriction,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawActor {
    claim: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawRestriction {
    scopes: Vec<String>,
    repositories: Vec<String>,
    permissions: BTreeMap<String, String>,
}

/// Bytes of a purpose.
const MAX_PURPOSE: usize = 64;

/// Grants may be missing or empty: then nothing is granted.
pub(super) fn read(section: Option<Value>, issuers: usize, faults: &mut Faults) -> Option<Grants> {
    let entries = match section {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Sequence(entries)) => entries,
        Some(_) => {
            faults.add("grants", "is a list of grants");
            return None;
        }
    };
    let digest = digest(&entries);
    let mut grants = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let path = format!("grants[{at}]");
        let raw: Option<RawGrant> = faults.section(&path, Some(entry));
        if let Some(raw) = &raw
            && issuers > 1
            && !names_its_issuer(&raw.claims)
        {
            let what = "names no issuer, and session has several; add iss: [\"https://...\"]";
            faults.add(format!("{path}.claims"), what);
        }
        grants.push(raw.and_then(|raw| read_one(&path, raw, faults)));
    }
    one_actor_a_handle(&grants, faults);
    let grants = grants.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Grants::new(grants, digest))
}

/// Of what the section says; comments, order of fields and layout make no difference.
fn digest(entries: &[Value]) -> String {
    // As JSON, whose maps are in order. What JSON cannot hold is refused when it is read.
    let json: Vec<_> = entries.iter().map(|entry| serde_json::to_value(entry).ok()).collect();
    let text = serde_json::to_vec(&json).unwrap_or_default();
    base16ct::lower::encode_string(&Sha256::digest(text))
}

fn read_one(path: &str, raw: RawGrant, faults: &mut Faults) -> Option<Grant> {
    let handle: Option<Handle> =
        raw.handle.parse().map_err(|error| faults.add(format!("{path}.handle"), error)).ok();
    let destinations = read_destinations(path, &raw, faults);
    let actor = read_actor(&format!("{path}.actor"), raw.actor, faults);
    let methods = raw.methods.map(|methods| read_methods(path, methods, faults));
    let ttl = match &raw.ttl {
        None => Some(LEASE_DEFAULT),
        Some(text) => faults.seconds(&format!("{path}.ttl"), text, 1..=LEASE_CEILING),
    };
    if raw.claims.is_empty() {
        faults.add(
            format!("{path}.claims"),
            "names no claim; to grant every session of an issuer, say so: {iss: [\"https://...\"]}",
        );
    }
    let purpose = read_purpose(path, raw.purpose, faults);
    let restriction = read_restriction(path, raw.narrow, faults);
    let methods = match methods {
        None => None,
        Some(methods) => Some(methods?),
    };
    Some(Grant {
        handle: handle?,
        actor: actor?,
        destinations: destinations?,
        claims: raw.claims,
        methods,
        ttl: ttl?,
        binding: raw.binding,
        purpose: purpose?,
        restriction: restriction?,
    })
}

fn read_actor(path: &str, value: Option<Value>, faults: &mut Faults) -> Option<GrantActor> {
    let name = match value {
        None | Some(Value::Null) => Actor::DEFAULT.to_owned(),
        Some(Value::String(name)) => name,
        Some(value @ Value::Mapping(_)) => {
            let RawActor { claim } = faults.section(path, Some(value))?;
            if claim.is_empty() {
                faults.add(format!("{path}.claim"), "is empty; name a claim, as in sub");
                return None;
            }
            return Some(GrantActor::Claim(claim));
        }
        Some(_) => {
            faults.add(path, "is an actor in quotes, or {claim: NAME}, as in {claim: sub}");
            return None;
        }
    };
    name.parse().map(GrantActor::Named).map_err(|error| faults.add(path, error)).ok()
}

fn read_purpose(path: &str, text: Option<String>, faults: &mut Faults) -> Option<Option<String>> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match text {
        Some(text) if !(1..=MAX_PURPOSE).contains(&text.len()) || !text.bytes().all(plain) => {
            let message = format!("is 1 to {MAX_PURPOSE} of A-Z a-z 0-9 . _ -, as in release");
            faults.add(format!("{path}.purpose"), message);
            None
        }
        fine => Some(fine),
    }
}

/// An empty entry would be the same as none, and none is all of the credential's power.
fn read_restriction(path: &str, raw: RawRestriction, faults: &mut Faults) -> Option<Restriction> {
    let RawRestriction { scopes, repositories, permissions } = raw;
    let before = faults.0.len();
    // RFC 6749 section 3.3: visible ASCII but for the quotation mark and the backslash.
    let scope = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\');
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    for (at, text) in scopes.iter().enumerate() {
        if text.is_empty() || !text.bytes().all(scope) {
            faults.add(format!("{path}.narrow.scopes[{at}]"), "is one scope, without blanks");
        }
    }
    for (at, text) in repositories.iter().enumerate() {
        if text.is_empty() || !text.bytes().all(name) {
            let message = "is the name of a repository without its owner, as in website";
            faults.add(format!("{path}.narrow.repositories[{at}]"), message);
        }
    }
    for (of, level) in &permissions {
        if of.is_empty() || !matches!(level.as_str(), "read" | "write" | "admin") {
            let message = "is read, write or admin, as in {contents: read}";
            faults.add(format!("{path}.narrow.permissions.{of}"), message);
        }
    }
    (faults.0.len() == before).then_some(Restriction { scopes, repositories, permissions })
}

fn read_destinations(
    path: &str,
    raw: &RawGrant,
    faults: &mut Faults,
) -> Option<Vec<DestinationPattern>> {
    let texts = &raw.destinations;
    let parse = match raw.allow_shared_suffixes {
        true => DestinationPattern::parse_shared,
        false => DestinationPattern::from_str,
    };
    if texts.is_empty() {
        faults.add(format!("{path}.destinations"), "is empty; name a host, as in api.github.com");
        return None;
    }
    let read: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let field = format!("{path}.destinations[{at}]");
            parse(text).map_err(|error| faults.add(field, error)).ok()
        })
        .collect();
    read.into_iter().collect()
}

fn read_methods(path: &str, methods: Vec<String>, faults: &mut Faults) -> Option<Vec<String>> {
    if methods.is_empty() {
        faults.add(format!("{path}.methods"), "is empty; leave it out to grant every method");
        return None;
    }
    let mut fine = true;
    for (at, method) in methods.iter().enumerate() {
        // Every registered method is upper-case; "get" would never match anything.
        let plain = |b: u8| b.is_ascii_uppercase() || matches!(b, b'-' | b'_');
        if method.is_empty() || !method.bytes().all(plain) {
            faults.add(format!("{path}.methods[{at}]"), "is written in capitals, as in GET");
            fine = false;
        }
    }
    fine.then_some(methods)
}

/// The edge names only the handle; two actors behind one handle would let the order of the file
/// decide whose credential is sent.
fn one_actor_a_handle(grants: &[Option<Grant>], faults: &mut Faults) {
    let mut actors: BTreeMap<&Handle, (usize, &GrantActor)> = BTreeMap::new();
    for (at, grant) in grants.iter().enumerate() {
        let Some(grant) = grant else { continue };
        let (first, actor) = *actors.entry(&grant.handle).or_insert((at, &grant.actor));
        if *actor != grant.actor {
            faults.add(
                format!("grants[{at}].actor"),
                format!("differs from grants[{first}].actor for the same handle"),
            );
        }
    }
}
