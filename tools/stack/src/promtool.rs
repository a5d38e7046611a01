//! `promtool`, which says whether Prometheus takes a file of rules: Debian's package.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::fetched::debian::Unpacked;
use crate::fetched::{self, on_path};

/// A `promtool` that can be run.
pub struct Promtool {
    path: PathBuf,
    /// `LD_LIBRARY_PATH`, where the libraries were fetched too.
    libraries: Option<OsString>,
}

// === impl Promtool ===

impl Promtool {
    /// From the `PATH`, else from Debian's package `prometheus`, unpacked once under `target/`.
    ///
    /// # Errors
    /// There is none, and no apt to fetch it with.
    pub fn locate_or_fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        if let Some(path) = on_path("promtool") {
            return Ok(Self { path, libraries: None });
        }
        let fetch = || {
            let unpacked =
                Unpacked::fetch("prometheus", &fetched::folder("prometheus")?, on_progress)?;
            let libraries = Some(unpacked.libraries()?);
            anyhow::Ok(Self { path: unpacked.path("usr/bin/promtool"), libraries })
        };
        fetch().context("cannot fetch prometheus from Debian's packages; install promtool")
    }

    /// # Errors
    /// What it says about the rules.
    pub fn check_rules(&self, file: &Path) -> Result<()> {
        let mut command = Command::new(&self.path);
        command.envs(self.libraries.iter().map(|folders| ("LD_LIBRARY_PATH", folders)));
        let output = command.args(["check", "rules"]).arg(file).output().context("promtool")?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("{}: {}", file.display(), String::from_utf8_lossy(&said).trim());
        }
        Ok(())
    }
}
