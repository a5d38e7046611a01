//! `wrk`, which puts load on an Envoy: Debian's package.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::built::variable;
use crate::fetched::debian::Unpacked;
use crate::fetched::{self, on_path};

/// A `wrk` that can be run.
#[derive(Clone, Debug)]
pub struct Wrk {
    path: PathBuf,
    /// `LD_LIBRARY_PATH`, where the libraries were fetched too.
    libraries: Option<OsString>,
}

// === impl Wrk ===

impl Wrk {
    /// `$WRK_BIN`, else `wrk` on the `PATH`, else Debian's package, which is unpacked once under
    /// `target/wrk` (parallel callers wait for one another).
    ///
    /// `on_progress` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// `$WRK_BIN` is no wrk, or there is none and no apt to fetch it with.
    pub fn locate_or_fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        let own = |path| Self { path, libraries: None }.probed();
        if let Some(path) = variable("WRK_BIN") {
            return own(path).context("WRK_BIN; point it at a wrk or unset it");
        }
        if let Some(path) = on_path("wrk") {
            return own(path);
        }
        let fetch = || {
            let unpacked = Unpacked::fetch("wrk", &fetched::folder("wrk")?, on_progress)?;
            let libraries = Some(unpacked.libraries()?);
            Self { path: unpacked.path("usr/bin/wrk"), libraries }.probed()
        };
        fetch().context(
            "cannot fetch wrk from Debian's packages; install it, or set WRK_BIN to the program",
        )
    }

    /// The program.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The program with the libraries it needs, ready for arguments.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.envs(self.libraries.iter().map(|folders| ("LD_LIBRARY_PATH", folders)));
        command
    }

    fn probed(self) -> Result<Self> {
        let path = self.path.display();
        // It answers `-v` with its version, and exit code 1.
        let output = self.command().arg("-v").output().with_context(|| path.to_string())?;
        if !String::from_utf8_lossy(&output.stdout).starts_with("wrk ") {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("{path} does not say that it is a wrk {}", complaint.trim_end());
        }
        Ok(self)
    }
}
