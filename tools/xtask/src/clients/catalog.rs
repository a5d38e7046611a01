//! The clients, as `catalog.yaml` lists them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One client, and how it is run as a guest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    #[serde(rename = "client")]
    pub name: String,
    /// The ready policy that it runs under.
    pub policy: Option<String>,
    /// Variables that it needs beyond the environment of every guest, with placeholders.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Packages of the Python package index.
    #[serde(default)]
    pub python: Vec<String>,
    /// Packages of the npm registry.
    #[serde(default)]
    pub node: Vec<String>,
    /// A Debian package.
    pub debian: Option<String>,
    /// A program that runs once before, such as a compiler that fills its cache.
    #[serde(default)]
    pub prepare: Vec<String>,
    /// The program and its arguments, with placeholders.
    pub run: Vec<String>,
    /// What prints the version. Without it: the version of the first package.
    #[serde(default)]
    pub version: Vec<String>,
    /// What a user sets beyond the environment of every guest.
    #[serde(default)]
    pub sets: String,
}

/// # Errors
/// The file is not what [`Client`] is.
pub fn read() -> Result<Vec<Client>> {
    serde_yaml_ng::from_str(include_str!("catalog.yaml")).context("catalog.yaml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_client_has_a_name_and_a_program() {
        let clients = read().unwrap();
        let names: BTreeSet<_> = clients.iter().map(|client| &client.name).collect();
        assert_eq!(names.len(), clients.len());
        for client in &clients {
            assert!(!client.run.is_empty(), "{}", client.name);
            let is_packaged = !client.python.is_empty() || !client.node.is_empty();
            assert!(is_packaged || !client.version.is_empty(), "{}: no version", client.name);
        }
    }
}
