//! A real registry on loopback, and a real client for it, for the tests of what is pushed to one:
//! Debian's `docker-registry` (CNCF Distribution) and `skopeo`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::child::Running;
use crate::fetched::debian::Packaged;
use crate::ports;

const START: Duration = Duration::from_secs(20);

/// The programs, wherever they come from.
pub struct Registry {
    registry: Packaged,
    skopeo: Packaged,
}

/// A registry that runs until it is dropped, with nothing in it.
pub struct RunningRegistry {
    skopeo: Packaged,
    address: SocketAddr,
    _running: Running,
}

// === impl Registry ===

impl Registry {
    /// Both from the `PATH`, else Debian's packages, unpacked once under `target/`.
    ///
    /// # Errors
    /// There is no such program and no apt to fetch it with.
    pub fn fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        let fetch = |name| Packaged::locate_or_fetch(name, &format!("usr/bin/{name}"), on_progress);
        Ok(Self { registry: fetch("docker-registry")?, skopeo: fetch("skopeo")? })
    }

    /// Starts it with its files and its log in `folder`.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(self, folder: &Path) -> Result<RunningRegistry> {
        let address = ports::free(ports::address())?;
        let config = json!({
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": folder.join("blobs")}},
            "http": {"addr": address.to_string()},
        });
        let file = folder.join("registry.json");
        std::fs::write(&file, config.to_string()).context("the registry's configuration")?;
        let mut command = self.registry.command();
        command.arg("serve").arg(&file);
        let mut running = Running::start("registry", &command, &folder.join("registry.log"))?;
        running.wait_listening(address, START)?;
        Ok(RunningRegistry { skopeo: self.skopeo, address, _running: running })
    }
}

// === impl RunningRegistry ===

impl RunningRegistry {
    /// Copies `tag` of an OCI layout to the repository `name`.
    ///
    /// # Errors
    /// What the client or the registry says.
    pub fn push(&self, layout: &Path, name: &str, tag: &str) -> Result<()> {
        let (from, to) = (format!("oci:{}:{tag}", layout.display()), self.reference(name, tag));
        self.copy("--dest-tls-verify=false", &from, &to)
    }

    /// Copies `tag` of the repository `name` to a new OCI layout.
    ///
    /// # Errors
    /// What the client or the registry says.
    pub fn pull(&self, name: &str, tag: &str, layout: &Path) -> Result<()> {
        let (from, to) = (self.reference(name, tag), format!("oci:{}:{tag}", layout.display()));
        self.copy("--src-tls-verify=false", &from, &to)
    }

    fn reference(&self, name: &str, tag: &str) -> String {
        format!("docker://{}/{name}:{tag}", self.address)
    }

    fn copy(&self, plaintext: &str, from: &str, to: &str) -> Result<()> {
        let mut command = self.skopeo.command();
        // There are no signatures here whose policy could be asked for.
        command.args(["--insecure-policy", "copy", "--preserve-digests", plaintext, from, to]);
        let output = command.output().context("starting skopeo")?;
        if !output.status.success() {
            bail!("skopeo copy {from} {to}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}
