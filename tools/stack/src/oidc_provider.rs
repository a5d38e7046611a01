//! A real OpenID provider that this project did not write: the Node package `oidc-provider`.

use std::path::PathBuf;

use anyhow::Result;

use crate::clients::Clients;
use crate::fetched::{self, node::node_package};

const PACKAGE: &str = "oidc-provider@9.13.3";

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
        let wanted = fetched::folder("oidc-provider")?.join("9.13.3");
        let modules = node_package(PACKAGE, &node, &wanted, on_progress)?;
        Ok(Self { node, modules })
    }
}
