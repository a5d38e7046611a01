//! `grants`: which sessions may lease what.

use super::fault::Faults;
use super::session::read_seconds;
use crate::actor::Actor;
use crate::grants::{DestinationPattern, Grant, Grants};
use lease::{Handle, LEASE_CEILING, LEASE_DEFAULT};
use serde::Deserialize;
use serde_yaml_ng::Value;
use session::ClaimConditions;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrant {
    handle: String,
    actor: Option<String>,
    destinations: Vec<String>,
    claims: ClaimConditions,
    methods: Option<Vec<String>>,
    ttl: Option<String>,
}

/// Grants may be missing or empty: then nothing is granted.
pub(super) fn read(section: Option<Value>, faults: &mut Faults) -> Option<Grants> {
    let entries = match section {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Sequence(entries)) => entries,
        Some(_) => {
            faults.add("grants", "is a list of grants");
            return None;
        }
    };
    let mut grants = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let path = format!("grants[{at}]");
        let raw: Option<RawGrant> = faults.section(&path, Some(entry));
        grants.push(raw.and_then(|raw| read_one(&path, raw, faults)));
    }
    one_actor_a_handle(&grants, faults);
    grants.into_iter().collect::<Option<Vec<_>>>().map(Grants::new)
}

fn read_one(path: &str, raw: RawGrant, faults: &mut Faults) -> Option<Grant> {
    let handle: Option<Handle> =
        raw.handle.parse().map_err(|error| faults.add(format!("{path}.handle"), error)).ok();
    let actor: Option<Actor> = raw
        .actor
        .as_deref()
        .unwrap_or(Actor::DEFAULT)
        .parse()
        .map_err(|error| faults.add(format!("{path}.actor"), error))
        .ok();
    let destinations = read_destinations(path, &raw.destinations, faults);
    let methods = raw.methods.map(|methods| read_methods(path, methods, faults));
    let ttl = match &raw.ttl {
        None => Some(LEASE_DEFAULT),
        Some(text) => read_seconds(&format!("{path}.ttl"), text, 1..=LEASE_CEILING, faults),
    };
    if raw.claims.is_empty() {
        faults.add(
            format!("{path}.claims"),
            "names no claim; to grant every session of an issuer, say so: {iss: [\"https://...\"]}",
        );
    }
    let methods = match methods {
        None => None,
        Some(methods) => Some(methods?),
    };
    let (handle, actor, destinations, ttl) = (handle?, actor?, destinations?, ttl?);
    Some(Grant { handle, actor, destinations, claims: raw.claims, methods, ttl })
}

fn read_destinations(
    path: &str,
    texts: &[String],
    faults: &mut Faults,
) -> Option<Vec<DestinationPattern>> {
    if texts.is_empty() {
        faults.add(format!("{path}.destinations"), "is empty; name a host, as in api.github.com");
        return None;
    }
    let read: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let field = format!("{path}.destinations[{at}]");
            text.parse().map_err(|error| faults.add(field, error)).ok()
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
    let mut actors: BTreeMap<&Handle, (usize, &Actor)> = BTreeMap::new();
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
