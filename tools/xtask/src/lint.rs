//! The checks that run no code of ours: format, spelling, documents, clippy, dependencies, schema.

use anyhow::{Context, Result};
use stack::built::Built;
use stack::dev_tools::{self, DevProgram, DevTool};
use stack::progress::Progress;

use crate::cargo::{self, cargo};
use crate::command;
use crate::schema;
use crate::suffix_list;

/// How many steps [`quick`] tells.
pub const QUICK_STEPS: usize = 6;
/// How many steps [`all`] tells.
pub const STEPS: usize = QUICK_STEPS + 4;

/// What takes seconds once everything is built.
///
/// # Errors
/// What one of them found.
pub fn quick(progress: &mut Progress) -> Result<()> {
    run_cargo(progress, "checking the format", &["fmt", "--all", "--", "--check"])?;
    let typos = fetch(progress, DevTool::Typos)?;
    run(progress, "checking the spelling", &typos, &["--color", "never", "--format", "brief"])?;
    let rumdl = fetch(progress, DevTool::Rumdl)?;
    run(progress, "checking the form of the documents", &rumdl, &["check", "--no-cache", "."])?;
    run_cargo(progress, "clippy", &["clippy", "--all-targets", "--", "-D", "warnings"])
}

/// All of them.
///
/// # Errors
/// What one of them found.
pub fn all(progress: &mut Progress) -> Result<()> {
    quick(progress)?;
    cargo::ensure_wasm_target()?;
    let modules = [&["clippy"], &cargo::MODULES[..], &["--target", cargo::WASM]].concat();
    let modules = [&modules[..], &["--", "-D", "warnings"]].concat();
    let name = "clippy on the filter and the simulator's guests (WebAssembly)";
    run_cargo(progress, name, &modules)?;
    let step = progress.step("checking the schema of the plugin configuration");
    schema::check()?;
    step.finish();
    // Not a fault of the tree: it was right on its day.
    if let Some(old) = suffix_list::old()? {
        eprintln!("warning: {old}");
    }
    check_dependencies(progress)
}

/// Licences, bans and sources of every dependency against deny.toml. Advisories need a database from the
/// network, so they are no part of it: the nightly workflow checks them.
fn check_dependencies(progress: &mut Progress) -> Result<()> {
    let deny = fetch(progress, DevTool::CargoDeny)?;
    let mut step = progress.step("checking licences, bans and sources of the dependencies");
    command::run(&mut step, &mut dev_tools::check_dependencies(&deny, &Built::root()))?;
    step.finish();
    Ok(())
}

/// A program, fetched in a step of its own.
///
/// # Errors
/// It cannot be had.
pub fn fetch(progress: &mut Progress, tool: DevTool) -> Result<DevProgram> {
    let get = |on_progress: &dyn Fn(&str)| tool.locate_or_fetch(on_progress);
    command::run_fetch(progress, tool.name(), get, |found| found.version().to_owned())
}

/// A step that is a call of cargo.
///
/// # Errors
/// What cargo says.
pub fn run_cargo(progress: &mut Progress, name: &str, arguments: &[&str]) -> Result<()> {
    let mut step = progress.step(name);
    command::run(&mut step, &mut cargo(arguments))?;
    step.finish();
    Ok(())
}

fn run(progress: &mut Progress, name: &str, tool: &DevProgram, arguments: &[&str]) -> Result<()> {
    let mut step = progress.step(name);
    command::run(&mut step, tool.command(&Built::root()).args(arguments))
        .context(name.to_owned())?;
    step.finish();
    Ok(())
}
