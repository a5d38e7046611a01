//! Where the things are that cargo has built: one place knows the layout of the target folder.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The filter as cargo has built it, from the target folder.
pub const FILTER: &str = "wasm32-wasip1/wasm/leasehold_filter.wasm";

/// What a checkout has at its root, and no other workspace: the manifest of this package.
const THIS_PACKAGE: &str = "tools/stack/Cargo.toml";

/// Finished programs and the module, as found in the target folder.
#[derive(Clone, Debug)]
pub struct Built {
    target: PathBuf,
}

// === impl Built ===

impl Built {
    /// Finds the target folder by the program that is running: `target/debug/xtask` or
    /// `target/debug/deps/a_test`.
    ///
    /// # Errors
    /// The running program lies in no `debug` or `release` folder.
    pub fn find() -> Result<Self> {
        let exe = env::current_exe().context("asking for the path of the running program")?;
        let profile = exe
            .ancestors()
            .find(|folder| folder.ends_with("debug") || folder.ends_with("release"))
            .with_context(|| format!("{} is not inside a target folder", exe.display()))?;
        let target = profile.parent().context("the target folder has no path")?;
        Ok(Self { target: target.to_owned() })
    }

    /// The target folder itself.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The root of the source tree: the nearest folder with our workspace in it, above the package that
    /// cargo runs, above this program, or above the working folder.
    ///
    /// It is found when it is asked for, so a checkout can be moved after it was built.
    pub fn root() -> PathBuf {
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let starts = [package, env::current_exe().ok(), env::current_dir().ok()];
        starts
            .into_iter()
            .flatten()
            .find_map(|start| above(&start))
            .unwrap_or_else(|| PathBuf::from("."))
    }

    /// One of our programs, such as `custody`.
    ///
    /// # Errors
    /// It has not been built.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.target.join("debug").join(name);
        if !path.is_file() {
            bail!(
                "{} is not there: build it with `cargo build -p {name}`, or run `cargo xtask test`",
                path.display()
            );
        }
        Ok(path)
    }

    /// The filter as Envoy loads it: `$LEASEHOLD_FILTER`, or what cargo has built.
    ///
    /// # Errors
    /// It is not there.
    pub fn filter(&self) -> Result<PathBuf> {
        if let Some(path) = variable("LEASEHOLD_FILTER") {
            if !path.is_file() {
                bail!("LEASEHOLD_FILTER={} is not there; build it or unset it", path.display());
            }
            return Ok(path);
        }
        let path = self.target.join(FILTER);
        if !path.is_file() {
            bail!(
                "{} is not there: build it with `cargo build -p filter --target wasm32-wasip1 \
                 --profile wasm`, or run `cargo xtask test`",
                path.display()
            );
        }
        Ok(path)
    }
}

/// The nearest folder at or above `start` that is the root of a checkout.
fn above(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(THIS_PACKAGE).is_file()).map(Path::to_owned)
}

/// The variable `name`, if it says something.
pub(crate) fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
