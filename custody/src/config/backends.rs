//! `backends`: where credentials come from, by name. A type of backend has a file.

mod exec;
mod github_app;
mod oauth2;
mod openbao;
pub(super) mod own_secret;

use super::fault::Faults;
use custody_backends::settings::{Backend, Backends, SEALED, SourceOf};
use serde_yaml_ng::{Mapping, Value};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn read(section: Option<Value>, folder: &Path, faults: &mut Faults) -> Option<Backends> {
    let Some(section) = section else { return Some(Backends::default()) };
    let mut backends = BTreeMap::new();
    for (name, value) in named("backends", section, faults)? {
        let path = format!("backends.{name}");
        if !is_name(&name) || name == SEALED {
            faults.add(
                &path,
                "a name is 1 to 63 of a-z 0-9 -, begins with a letter, and is not sealed",
            );
        }
        if let Some(backend) = read_one(&path, value, folder, faults) {
            backends.insert(name, backend);
        }
    }
    Some(Backends(backends))
}

fn read_one(path: &str, value: Value, folder: &Path, faults: &mut Faults) -> Option<Backend> {
    let (kind, rest) = split(path, value, "type", faults)?;
    match kind.as_str() {
        "openbao" => openbao::read(path, rest, folder, faults).map(Backend::OpenBao),
        "oauth2" => oauth2::read(path, rest, folder, faults).map(Backend::OAuth2),
        "github_app" => github_app::read(path, rest, folder, faults).map(Backend::GitHubApp),
        "exec" => exec::read(path, rest, faults).map(Backend::Exec),
        _ => {
            faults.add(format!("{path}.type"), "there are openbao, oauth2, github_app and exec");
            None
        }
    }
}

/// What stands beside `backend:` in a source, by the type of that backend.
pub(super) fn read_source(
    path: &str,
    backend: &str,
    rest: Value,
    backends: &Backends,
    faults: &mut Faults,
) -> Option<SourceOf> {
    match backends.0.get(backend) {
        Some(Backend::OpenBao(_)) => {
            openbao::read_source(path, rest, faults).map(SourceOf::OpenBao)
        }
        Some(Backend::OAuth2(_)) => oauth2::read_source(path, rest, faults).map(SourceOf::OAuth2),
        Some(Backend::GitHubApp(_)) => {
            github_app::read_source(path, rest, faults).map(SourceOf::GitHubApp)
        }
        Some(Backend::Exec(_)) => exec::read_source(path, rest, faults).map(SourceOf::Exec),
        None if backend == SEALED => {
            if rest.as_mapping().is_some_and(|rest| !rest.is_empty()) {
                faults.add(
                    path,
                    "a source in the sealed store has no further fields: it is found by its handle",
                );
            }
            Some(SourceOf::Sealed)
        }
        None => {
            faults.add(format!("{path}.backend"), format!("no backend is called {backend}"));
            None
        }
    }
}

/// The entries of a mapping whose keys are names.
pub(super) fn named(
    path: &str,
    section: Value,
    faults: &mut Faults,
) -> Option<Vec<(String, Value)>> {
    let entries = match section {
        Value::Null => Mapping::new(),
        Value::Mapping(entries) => entries,
        _ => {
            faults.add(path, "is a mapping of names");
            return None;
        }
    };
    let mut all = Vec::new();
    for (name, value) in entries {
        match name {
            Value::String(name) => all.push((name, value)),
            _ => faults.add(path, "a name is a text"),
        }
    }
    Some(all)
}

/// Takes the field that says how to read the others.
pub(super) fn split(
    path: &str,
    value: Value,
    field: &str,
    faults: &mut Faults,
) -> Option<(String, Value)> {
    let Value::Mapping(mut fields) = value else {
        faults.add(path, format!("is a mapping with `{field}` and what belongs to it"));
        return None;
    };
    match fields.remove(field) {
        Some(Value::String(text)) => Some((text, Value::Mapping(fields))),
        Some(_) => {
            faults.add(format!("{path}.{field}"), "is a text");
            None
        }
        None => {
            faults.add(format!("{path}.{field}"), "is missing");
            None
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests;
