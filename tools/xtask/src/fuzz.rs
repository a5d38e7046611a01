//! `cargo xtask fuzz`: the targets in `fuzz/`, one after the other. What libFuzzer finds worth keeping is kept
//! in `target/fuzz/corpus`, so that the next run begins where this one ended.

use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use stack::built::Built;
use stack::dev_tools::{DevProgram, DevTool};
use stack::progress::Progress;

use crate::cargo;
use crate::command;
use crate::lint;

#[derive(Args)]
pub struct Fuzz {
    /// Fuzz only this target, such as `path` [default: each in turn]
    target: Option<String>,
    /// How long each target is fuzzed
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
}

/// Seconds that one input may take; a parser that takes longer is at fault.
const SLOW: &str = "-timeout=10";
/// MiB; a parser that allocates more for a few bytes is at fault.
const MEMORY: &str = "-rss_limit_mb=1024";
/// Longer inputs repeat what shorter ones show.
const LENGTH: &str = "-max_len=4096";
/// From the root of the source tree.
const FOLDER: &str = "fuzz";

// === impl Fuzz ===

impl Fuzz {
    pub fn run(&self) -> Result<ExitCode> {
        let known = targets()?;
        let targets = match &self.target {
            None => known,
            Some(target) if known.contains(target) => vec![target.clone()],
            Some(target) => bail!("no target {target}; there are {}", known.join(", ")),
        };
        let mut progress = Progress::new(2 + targets.len());
        let fuzzer = lint::fetch(&mut progress, DevTool::CargoFuzz)?;
        let mut step = progress.step("building the targets");
        command::run(&mut step, &mut call(&fuzzer, "build")?)?;
        step.finish();
        let mut failed = Vec::new();
        for target in targets {
            let mut step = progress.step(format!("fuzzing {target}"));
            let (status, written) =
                command::run_captured(&mut step, &mut self.fuzz(&fuzzer, &target)?)?;
            if status.success() {
                step.finish_with(written.last().map_or("", |line| line.trim()));
            } else {
                drop(step);
                eprintln!("{}", written.join("\n"));
                failed.push(target);
            }
        }
        if failed.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!(
            "a property does not hold: {}; fix: mend the cause, and add the input that libFuzzer wrote to \
             {FOLDER}/artifacts as a file of {FOLDER}/seeds",
            failed.join(", ")
        );
        Ok(ExitCode::FAILURE)
    }

    fn fuzz(&self, fuzzer: &DevProgram, target: &str) -> Result<Command> {
        let corpus = Built::find()?.target().join(FOLDER).join("corpus").join(target);
        fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        let seeds = Built::root().join(FOLDER).join("seeds").join(target);
        let mut command = call(fuzzer, "run")?;
        command.arg(target).args([&corpus, &seeds]);
        let time = format!("-max_total_time={}", self.minutes * 60);
        command.args(["--", &time, SLOW, MEMORY, LENGTH, "-print_final_stats=1"]);
        Ok(command)
    }
}

/// `cargo fuzz VERB`. All of what is fuzzed is safe Rust, so no sanitizer is needed, and with none the
/// toolchain of the project serves, not a nightly one.
fn call(fuzzer: &DevProgram, verb: &str) -> Result<Command> {
    let mut command = fuzzer.command(&Built::root());
    cargo::remove_own_variables(&mut command);
    command.args([verb, "--sanitizer", "none", "--features", "libfuzzer", "--target-dir"]);
    command.arg(Built::find()?.target().join(FOLDER));
    Ok(command)
}

/// The names of the targets, each of which is a file.
fn targets() -> Result<Vec<String>> {
    let folder = Built::root().join(FOLDER).join("fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "rs") {
            names.extend(path.file_stem().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}
