//! `promtool`, which says whether Prometheus takes a file of rules: Debian's package.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::fetched::debian::Packaged;

/// A `promtool` that can be run.
pub struct Promtool(Packaged);

// === impl Promtool ===

impl Promtool {
    /// From the `PATH`, else from Debian's package `prometheus`, unpacked once under `target/`.
    ///
    /// # Errors
    /// There is none, and no apt to fetch it with.
    pub fn locate_or_fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        Packaged::locate_or_fetch("prometheus", "usr/bin/promtool", on_progress).map(Self)
    }

    /// # Errors
    /// What it says about the rules.
    pub fn check_rules(&self, file: &Path) -> Result<()> {
        let output =
            self.0.command().args(["check", "rules"]).arg(file).output().context("promtool")?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("{}: {}", file.display(), String::from_utf8_lossy(&said).trim());
        }
        Ok(())
    }
}
