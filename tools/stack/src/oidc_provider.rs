//! A real OpenID provider that this project did not write: the Node package `oidc-provider`.

use std::path::PathBuf;

use anyhow::Result;

use crate::clients::Clients;
use crate::fetched;
use crate::fetched::node::{NodePackage, node_package};

const PACKAGE: NodePackage = NodePackage { name: "oidc-provider", version: "9.13.3" };

/// What runs a script with the package.
pub struct OidcProvider {
    pub node: PathBuf,
    /// The folder in which `oidc-provider` is.
    pub modules: PathBuf,
}

// === impl OidcProvider ===

impl OidcProvider {
    /// Fetches what is not there yet into `target/oidc-provider`.
    ///
    /// # Errors
    /// A package cannot be had.
    pub fn fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        let node = Clients::fetch()?.node;
        let place = fetched::folder("oidc-provider")?;
        let modules = node_package(&PACKAGE, &node, &place, on_progress)?;
        Ok(Self { node, modules })
    }
}
