//! Packages of clients, in their newest versions, for `cargo xtask clients`: each client has a folder of its own under
//! `target/clients-table`, so that two never disagree about a library.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::clients::Clients;
use crate::fetched::debian::Unpacked;
use crate::fetched::{self, node, once, step};

/// Where the packages of one client go.
pub struct ClientPackages<'c> {
    clients: &'c Clients,
    folder: PathBuf,
}

/// An unpacked Debian package.
pub struct DebianPackage {
    /// The folder of its programs.
    pub programs: PathBuf,
    /// `LD_LIBRARY_PATH` for them.
    pub libraries: OsString,
}

// === impl ClientPackages ===

impl<'c> ClientPackages<'c> {
    /// # Errors
    /// The target folder cannot be found.
    pub fn of(clients: &'c Clients, client: &str) -> Result<Self> {
        let name: String = client
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .collect();
        Ok(Self { clients, folder: fetched::folder("clients-table")?.join(name) })
    }

    /// Removes what was fetched, so that the next fetch takes the newest versions.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.with_context(|| format!("removing {}", self.folder.display())),
        }
    }

    /// A virtual environment with Python packages.
    ///
    /// # Errors
    /// A package cannot be had.
    pub fn python(&self, packages: &[String], on_progress: &dyn Fn(&str)) -> Result<PathBuf> {
        let wanted = self.folder.join("venv");
        once(&wanted, on_progress, || {
            let part = self.fresh("part")?;
            let uv = |arguments: &[&str]| {
                let mut uv = Command::new(&self.clients.uv);
                uv.args(arguments).env("UV_CACHE_DIR", self.folder.with_file_name("uv-cache"));
                uv
            };
            let log = self.folder.join("install.log");
            let mut make = uv(&["venv", "--quiet", "--relocatable", "--python"]);
            step(make.arg(&self.clients.python).arg(&part), &log, on_progress)?;
            on_progress(&format!(
                "installing {} from the Python package index",
                packages.join(", ")
            ));
            let mut install = uv(&["pip", "install", "--quiet", "--python"]);
            step(install.arg(part.join("bin/python")).args(packages), &log, on_progress)?;
            fs::rename(&part, &wanted).with_context(|| wanted.display().to_string())
        })?;
        Ok(wanted)
    }

    /// The folder `node_modules` with packages of the npm registry.
    ///
    /// # Errors
    /// A package cannot be had.
    pub fn node(&self, packages: &[String], on_progress: &dyn Fn(&str)) -> Result<PathBuf> {
        self.fresh("part")?;
        node::install(packages, &self.clients.node, &self.folder.join("npm"), on_progress)
    }

    /// A Debian package with its libraries.
    ///
    /// # Errors
    /// There is no apt, or it has no such package.
    pub fn debian(&self, package: &str, on_progress: &dyn Fn(&str)) -> Result<DebianPackage> {
        let unpacked = Unpacked::fetch(package, &self.folder.join("debian"), on_progress)?;
        Ok(DebianPackage { programs: unpacked.path("usr/bin"), libraries: unpacked.libraries()? })
    }

    /// What an interrupted run left is removed.
    fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        Ok(path)
    }
}

/// The version of a package in a folder `node_modules`.
#[must_use]
pub fn node_version(modules: &Path, package: &str) -> Option<String> {
    let manifest = fs::read_to_string(modules.join(package).join("package.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest).ok()?;
    manifest["version"].as_str().map(str::to_owned)
}
