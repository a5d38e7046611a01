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

/// Hosts of the ready policies whose destinations have no credential.
const WITHOUT_CREDENTIAL: [&str; 8] = [
    "registry.npmjs.org",
    "pypi.org",
    "files.pythonhosted.org",
    "index.crates.io",
    "static.crates.io",
    "deb.debian.org",
    "registry-1.docker.io",
    "auth.docker.io",
];

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
    let destinations = policy["destinations"].as_array().into_iter().flatten();
    let listed =
        destinations.flat_map(|destination| destination["hosts"].as_array().into_iter().flatten());
    let names = listed.filter_map(Value::as_str).filter(|name| !name.starts_with('*'));
    names.chain([policy::OTHER_HOST]).map(str::to_owned).collect()
}

/// One secret under every handle.
///
/// # Errors
/// A ready policy cannot be read.
pub fn credentials(secret: &str) -> Result<Vec<Credential>> {
    let mut handles = policy::handles(&all()?);
    handles.sort();
    handles.dedup();
    let credential = |handle: String| match handle.ends_with("-git") {
        true => Credential::with(&handle, &["--type", "basic", "--user", GIT_USER], secret),
        false => Credential::bearer(&handle, secret),
    };
    Ok(handles.into_iter().map(credential).collect())
}

/// Do requests to `authority` hold a lease?
pub fn takes_credential(authority: &str) -> bool {
    let host = authority.split(':').next().unwrap_or_default();
    !WITHOUT_CREDENTIAL.contains(&host)
}
