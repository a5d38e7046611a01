//! Builds a source tree so that the bytes do not depend on where it lies.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use stack::progress::Progress;

use crate::cargo::{self, WASM};
use crate::command;

/// What people install, beside the module.
pub const PROGRAMS: [&str; 4] = ["custody", "leaf-ca", "host-sim", "session-jwt"];
/// The profiles of Cargo.toml that releases are built with.
/// The module's name, in the folder and on the registry.
pub const MODULE: &str = "leasehold_filter.wasm";
const MODULE_PROFILE: &str = "dist-wasm";
const PROGRAM_PROFILE: &str = "dist-programs";

/// A source tree that a release is made of.
pub struct Source {
    root: PathBuf,
    target: PathBuf,
    version: String,
}

/// This machine's architecture with musl, which is linked statically.
pub fn host_target() -> String {
    format!("{}-unknown-linux-musl", env::consts::ARCH)
}

// === impl Source ===

impl Source {
    /// # Errors
    /// There is no workspace of ours.
    pub fn at(root: &Path) -> Result<Self> {
        let root = root.canonicalize().with_context(|| format!("{}", root.display()))?;
        let mut asked =
            cargo::cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked"]);
        let output = asked.current_dir(&root).output().context("cargo metadata")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let packages = metadata.get("packages").and_then(Value::as_array);
        let filter = packages
            .into_iter()
            .flatten()
            .find(|package| package.get("name").is_some_and(|name| name == "filter"))
            .with_context(|| format!("{} has no package `filter`", root.display()))?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            target: text(metadata.get("target_directory"))
                .context("cargo names no target folder")?
                .into(),
            version: text(filter.get("version")).context("the filter has no version")?,
            root,
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// Builds the module; where it lies.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn build_module(&self, progress: &mut Progress) -> Result<PathBuf> {
        let mut step = progress.step("building the filter (WebAssembly)");
        cargo::ensure_wasm_target()?;
        let arguments = ["-p", "filter", "--target", WASM, "--profile", MODULE_PROFILE];
        command::run(&mut step, &mut self.cargo_build(&arguments))?;
        step.finish();
        Ok(self.target.join(WASM).join(MODULE_PROFILE).join(MODULE))
    }

    /// Builds the programs; each one's name and where it lies.
    ///
    /// # Errors
    /// No C compiler for musl; what the compiler says; a program that is not static after all.
    pub fn build_programs(&self, progress: &mut Progress) -> Result<Vec<(&'static str, PathBuf)>> {
        let target = host_target();
        let mut step = progress.step(format!("building {} for {target}", PROGRAMS.join(", ")));
        if Command::new("musl-gcc").arg("--version").output().is_err() {
            bail!(
                "`musl-gcc` is not there: the C in SQLite and ring needs it (Debian: musl-tools)"
            );
        }
        cargo::ensure_target(&target)?;
        let packages = PROGRAMS.iter().flat_map(|name| ["-p", name]);
        let profile = ["--bins", "--target", &target, "--profile", PROGRAM_PROFILE];
        let arguments: Vec<_> = packages.chain(profile).collect();
        let mut build = self.cargo_build(&arguments);
        let renamed = self.renamed().map(|(path, name)| format!("-ffile-prefix-map={path}={name}"));
        let flags = renamed.into_iter().collect::<Vec<_>>().join(" ");
        build.env(format!("CFLAGS_{}", target.replace('-', "_")), flags);
        command::run(&mut step, &mut build)?;
        let folder = self.target.join(&target).join(PROGRAM_PROFILE);
        let programs: Vec<_> = PROGRAMS.iter().map(|name| (*name, folder.join(name))).collect();
        for (name, path) in &programs {
            if is_dynamic(path)? {
                bail!("{name} is not linked statically");
            }
        }
        step.finish();
        Ok(programs)
    }

    fn cargo_build(&self, arguments: &[&str]) -> Command {
        let mut build = cargo::cargo(&["build", "--locked"]);
        build.current_dir(&self.root).args(arguments);
        let flags = self.renamed().map(|(path, name)| format!("--remap-path-prefix={path}={name}"));
        // Takes the place of RUSTFLAGS and of the flags in configuration files; separated by US.
        build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        build.env_remove("CARGO_INCREMENTAL");
        build
    }

    /// Where things lie on this machine, and what they are called in a release. Later ones win.
    fn renamed(&self) -> [(String, &'static str); 3] {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
        let home = home.unwrap_or_else(|| PathBuf::from("/nowhere"));
        [
            (home.display().to_string(), "/cargo"),
            (self.root.display().to_string(), "/leasehold"),
            (self.target.display().to_string(), "/leasehold/target"),
        ]
    }
}

/// Whether a program asks for a dynamic loader (an ELF program header `PT_INTERP`).
fn is_dynamic(path: &Path) -> Result<bool> {
    use object::read::elf::{FileHeader, ProgramHeader};
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let header = object::elf::FileHeader64::<object::Endianness>::parse(&*bytes)?;
    let endian = header.endian()?;
    let headers = header.program_headers(endian, &*bytes)?;
    Ok(headers.iter().any(|header| header.p_type(endian) == object::elf::PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo builds for itself under a profile, it puts beside the release then, or into it.
    #[test]
    fn no_profile_is_called_like_the_releases_folder() {
        assert!(
            [MODULE_PROFILE, PROGRAM_PROFILE].iter().all(|profile| *profile != crate::dist::FOLDER)
        );
    }

    #[test]
    fn a_test_program_is_dynamic() {
        assert!(is_dynamic(&env::current_exe().unwrap()).unwrap());
    }
}
