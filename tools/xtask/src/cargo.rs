//! Cargo, called from inside of `cargo run`.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use stack::built::Built;
use stack::progress::Progress;

use crate::command;

/// What `cargo run` sets for the program it runs. Handed on, it would make build scripts that look
/// at it (ring's) build anew each time.
const SET_BY_CARGO_RUN: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_PKG_",
];

/// How many steps [`build`] tells.
pub const BUILD_STEPS: usize = 2;

/// `cargo ARGUMENTS` in the root of the source tree.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(Built::root()).args(arguments);
    remove_own_variables(&mut command);
    command
}

/// Takes away what `cargo run` set for this program alone.
pub fn remove_own_variables(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let set = |prefix: &&str| name.to_string_lossy().starts_with(*prefix);
        if SET_BY_CARGO_RUN.iter().any(set) {
            command.env_remove(name);
        }
    }
}

/// Builds the filter and the programs that a stack runs.
///
/// # Errors
/// What the compiler says.
pub fn build(progress: &mut Progress) -> Result<()> {
    build_filter(progress)?;
    let mut step = progress.step("building custody, leaf-ca and session-jwt");
    let programs = ["build", "--bin", "custody", "--bin", "leaf-ca", "--bin", "session-jwt"];
    command::run(&mut step, &mut cargo(&programs))?;
    step.finish();
    Ok(())
}

/// The target of the module that Envoy loads.
pub const WASM: &str = "wasm32-wasip1";

/// What is built for [`WASM`]: the filter, and the guests of host-sim's tests.
const FILTER: [&str; 2] = ["-p", "filter"];
pub const MODULES: [&str; 4] = ["-p", "filter", "-p", "sdk-guests"];

/// Sees to it that Rust can build for [`WASM`]. rustup reads rust-toolchain.toml and fetches the
/// target by itself, unless it was told not to install anything on its own.
///
/// # Errors
/// The target is not there and rustup cannot fetch it.
pub fn ensure_wasm_target() -> Result<()> {
    ensure_target(WASM)
}

/// Sees to it that Rust can build for a target.
///
/// # Errors
/// The target is not there and rustup cannot fetch it.
pub fn ensure_target(target: &str) -> Result<()> {
    let asked = Command::new("rustc")
        .current_dir(Built::root())
        .args(["--print", "target-libdir", "--target", target])
        .output();
    let installed = asked.is_ok_and(|answer| {
        let folder = String::from_utf8_lossy(&answer.stdout);
        answer.status.success() && Path::new(folder.trim()).is_dir()
    });
    if installed {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(Built::root()).args(["target", "add", target]);
    let added = rustup.status().with_context(|| format!("rustup target add {target}"))?;
    if !added.success() {
        bail!("Rust cannot build for {target}; `rustup target add {target}` says why");
    }
    Ok(())
}

/// Builds the module that Envoy loads.
///
/// # Errors
/// What the compiler says.
pub fn build_filter(progress: &mut Progress) -> Result<()> {
    build_wasm(progress, "building the filter (WebAssembly)", &FILTER)
}

/// Builds every module: the one that Envoy loads, and the guests that only tests run.
///
/// # Errors
/// What the compiler says.
pub fn build_modules(progress: &mut Progress) -> Result<()> {
    build_wasm(progress, "building the filter and the simulator's guests (WebAssembly)", &MODULES)
}

fn build_wasm(progress: &mut Progress, name: &str, packages: &[&str]) -> Result<()> {
    let mut step = progress.step(name);
    ensure_wasm_target()?;
    let arguments = [&["build"], packages, &["--target", WASM, "--profile", "wasm"]].concat();
    command::run(&mut step, &mut cargo(&arguments))?;
    step.finish();
    Ok(())
}
