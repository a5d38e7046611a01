//! Where PostgreSQL's programs come from: `$POSTGRES_BIN`, the machine's own, or Debian's packages.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::unprivileged;
use crate::built::variable;
use crate::fetched;
use crate::fetched::debian::Unpacked;

/// The oldest version our tests are written for.
pub const OLDEST: u32 = 14;

/// Where Debian and its kin install, a folder a version.
const INSTALLED: &str = "usr/lib/postgresql";
/// Debian's name for the version it ships.
const PACKAGE: &str = "postgresql";
/// What we start, all from one folder.
const NEEDED: [&str; 3] = ["postgres", "initdb", "psql"];

/// `initdb`, `postgres` and `psql`, whose version fits.
#[derive(Clone, Debug)]
pub struct PostgresPrograms {
    bin: PathBuf,
    version: String,
    /// `LD_LIBRARY_PATH`, where the libraries were fetched too.
    libraries: Option<OsString>,
}

// === impl PostgresPrograms ===

impl PostgresPrograms {
    /// The folder `$POSTGRES_BIN`, else the newest in `/usr/lib/postgresql`, else Debian's package,
    /// which is unpacked once under `target/postgres` (parallel callers wait for one another).
    ///
    /// `on_progress` gets a line for every step that may take more than a second.
    ///
    /// # Errors
    /// `$POSTGRES_BIN` does not fit, or there is none and no apt to fetch it with.
    pub fn locate_or_fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        if let Some(bin) = variable("POSTGRES_BIN") {
            return Self::probe(&bin, None).map_err(|reason| {
                let bin = bin.display();
                anyhow!(
                    "POSTGRES_BIN={bin}: {reason}; point it at the folder with the postgres, \
                     initdb and psql of a PostgreSQL {OLDEST} or later, or unset it"
                )
            });
        }
        for bin in newest_first(&Path::new("/").join(INSTALLED)) {
            match Self::probe(&bin, None) {
                Ok(found) => return Ok(found),
                Err(reason) => on_progress(&format!("not using {}: {reason}", bin.display())),
            }
        }
        Self::fetch(on_progress).context(
            "cannot fetch PostgreSQL from Debian's packages; install it, or set POSTGRES_BIN to \
             the folder with postgres, initdb and psql",
        )
    }

    /// Its version, e.g. `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The folder of the programs.
    #[must_use]
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// A client (`psql`, `pg_dump`), with the libraries it needs.
    #[must_use]
    pub fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.envs(self.environment());
        command
    }

    /// One that may not run as root (`postgres`, `initdb`).
    pub(super) fn server(&self, name: &str) -> Command {
        let mut command = unprivileged::command(&self.bin.join(name));
        command.envs(self.environment());
        command
    }

    fn environment(&self) -> Option<(&OsStr, &OsStr)> {
        self.libraries.as_deref().map(|libraries| (OsStr::new("LD_LIBRARY_PATH"), libraries))
    }

    fn fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        let unpacked = Unpacked::fetch(PACKAGE, &fetched::folder("postgres")?, on_progress)?;
        let libraries = unpacked.libraries()?;
        let installed = unpacked.path(INSTALLED);
        let bin = newest_first(&installed)
            .into_iter()
            .next()
            .with_context(|| format!("{} is empty", installed.display()))?;
        Self::probe(&bin, Some(libraries)).map_err(|reason| anyhow!("{}: {reason}", bin.display()))
    }

    /// Asks the programs of a folder for their version.
    fn probe(bin: &Path, libraries: Option<OsString>) -> Result<Self, String> {
        if let Some(missing) = NEEDED.iter().find(|name| !bin.join(name).is_file()) {
            return Err(format!("has no {missing}"));
        }
        let mut found = Self { bin: bin.to_owned(), version: String::new(), libraries };
        let output = found
            .client("postgres")
            .arg("--version")
            .output()
            .map_err(|error| format!("postgres cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = version_in(&text).ok_or_else(|| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("does not say that it is a PostgreSQL {}", complaint.trim_end())
        })?;
        if major(version).is_none_or(|major| major < OLDEST) {
            return Err(format!("is PostgreSQL {version}, needed is {OLDEST} or later"));
        }
        found.version = version.to_owned();
        Ok(found)
    }
}

/// The `bin` folders of a folder with a folder for each version.
fn newest_first(installed: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(installed).into_iter().flatten().flatten();
    let versions = entries.filter_map(|entry| {
        let version = major(&entry.file_name().to_string_lossy())?;
        Some((version, entry.path().join("bin")))
    });
    let mut versions: Vec<_> = versions.collect();
    versions.sort_by(|one, other| other.cmp(one));
    versions.into_iter().map(|(_, bin)| bin).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` -> `15.18`.
fn version_in(text: &str) -> Option<&str> {
    text.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_word_behind_the_name() {
        let text = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(version_in(text), Some("15.18"));
        assert_eq!(version_in("postgres: not found"), None);
        assert_eq!(major("15.18"), Some(15));
        assert_eq!(major("lib"), None);
    }

    #[test]
    fn the_newest_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["9.6", "15", "17", "common"] {
            fs::create_dir(folder.path().join(version)).unwrap();
        }
        let found = newest_first(folder.path());
        let expected = ["17/bin", "15/bin", "9.6/bin"].map(|bin| folder.path().join(bin));
        assert_eq!(found, expected);
        assert!(newest_first(&folder.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_folder_without_the_programs_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let error = PostgresPrograms::probe(folder.path(), None).unwrap_err();
        assert_eq!(error, "has no postgres");
    }
}
