//! The policy of the guests: one host on which everything is allowed, and every ready policy of `policies/`, with its
//! hosts on the port of the origin.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stack::Credential;
use stack::built::Built;
use stack::policy::{self, ORIGIN_PORT};

/// The host on which everything is allowed.
const API: &str = "api.demo.test";
/// Its handle.
const HANDLE: &str = "clients";
/// The user of git's Basic credentials. GitHub's server rejects a bearer token.
pub const GIT_USER: &str = "x-access-token";

/// # Errors
/// A ready policy cannot be read.
pub fn all() -> Result<Value> {
    let mut destinations = vec![json!({
        "name": "api",
        "hosts": [API],
        "ports": [ORIGIN_PORT],
        "allow": [{
            "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            "paths": ["/**"],
            "upgrades": ["websocket"],
        }],
        "credential": {"handle": HANDLE},
    })];
    for mut destination in ready()? {
        if let Some(fields) = destination.as_object_mut() {
            fields.insert("ports".to_owned(), json!([ORIGIN_PORT]));
        }
        destinations.push(destination);
    }
    Ok(json!({"destinations": destinations}))
}

/// The destinations of every file in `policies/`.
fn ready() -> Result<Vec<Value>> {
    let folder = Built::root().join("policies");
    let mut destinations = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let written = policy::read(&path)?;
            let listed = written.get("destinations").and_then(Value::as_array);
            let listed = listed.with_context(|| format!("{}: no destinations", path.display()))?;
            destinations.extend(listed.iter().cloned());
        }
    }
    Ok(destinations)
}

/// The names that the origin answers to: those of the policy without wildcards, and one that is not listed.
pub fn hosts(policy: &Value) -> Vec<String> {
    let listed = destinations(policy).flat_map(hosts_of).filter(|name| !name.starts_with('*'));
    listed.chain([policy::OTHER_HOST]).map(str::to_owned).collect()
}

/// One secret under every handle of the policy.
pub fn credentials(policy: &Value, secret: &str) -> Vec<Credential> {
    let mut handles = policy::handles(policy);
    handles.sort();
    handles.dedup();
    let credential = |handle: String| match handle.ends_with("-git") {
        true => Credential::with(&handle, &["--type", "basic", "--user", GIT_USER], secret),
        false => Credential::bearer(&handle, secret),
    };
    handles.into_iter().map(credential).collect()
}

/// Do requests to `authority` hold a lease?
pub fn takes_credential(policy: &Value, authority: &str) -> bool {
    let host = authority.split(':').next().unwrap_or_default();
    let with_credential = destinations(policy).filter(|one| one.get("credential").is_some());
    with_credential.flat_map(hosts_of).any(|name| name == host)
}

fn destinations(policy: &Value) -> impl Iterator<Item = &Value> {
    policy.get("destinations").and_then(Value::as_array).into_iter().flatten()
}

fn hosts_of(destination: &Value) -> impl Iterator<Item = &str> {
    let hosts = destination.get("hosts").and_then(Value::as_array);
    hosts.into_iter().flatten().filter_map(Value::as_str)
}
