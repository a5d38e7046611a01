//! `cargo xtask test`: every check there is, in one go.

use std::cell::RefCell;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, bail};
use clap::Args;
use stack::built::Built;
use stack::cargo_deny::CargoDeny;
use stack::clients::Clients;
use stack::envoy::EnvoyBinary;
use stack::openbao::BaoBinary;
use stack::postgres::PostgresPrograms;
use stack::progress::Progress;
use stack::promtool::Promtool;
use stack::registry::Registry;
use stack::schemas::Schemas;
use stack::wrk::Wrk;

use crate::cargo::{self, cargo};
use crate::conformance;
use crate::schema;
use crate::spoken;
use crate::suffix_list;
use crate::sweep;

/// Steps with and without the checks that need no running.
const STEPS: usize = 17;
const STEPS_FILTERED: usize = 11;

#[derive(Args)]
pub struct Test {
    /// Run only tests whose name holds this, and no format or clippy check
    filter: Option<String>,
}

/// What a runner's summary says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
}

// === impl Test ===

impl Test {
    pub fn run(self) -> Result<ExitCode> {
        let steps = if self.filter.is_none() { STEPS } else { STEPS_FILTERED };
        let mut progress = Progress::new(steps);
        stack::sweep(&Built::find()?);
        if self.filter.is_none() {
            check(&mut progress)?;
        }
        cargo::build_modules(&mut progress)?;
        step(&mut progress, "building programs and tests", &["build", "--bins", "--tests"])?;
        fetch_all(&mut progress)?;
        conformance::forget()?;
        sweep::forget()?;
        self.run_tests(&mut progress)
    }

    fn run_tests(&self, progress: &mut Progress) -> Result<ExitCode> {
        let nextest = has_nextest();
        let runner = if nextest { "cargo-nextest" } else { "cargo test" };
        let mut step = progress.step(format!("running the tests with {runner}"));
        step.hand_over_terminal();
        let mut command = if nextest {
            cargo(&["nextest", "run", "--no-fail-fast", "--no-tests=fail"])
        } else {
            cargo(&["test", "--no-fail-fast", "--lib", "--bins", "--tests"])
        };
        command.args(&self.filter);
        let (status, lines) = spoken::show(&mut command)?;
        let count = if nextest { nextest_count(&lines) } else { cargo_test_count(&lines) };
        if count == Count::default() {
            bail!("no test ran ({status})");
        }
        step.finish();
        if let Some(summary) = conformance::summary()? {
            println!("cases on host-sim and on Envoy: {summary}");
        }
        if let Some(summary) = sweep::summary()? {
            println!("fault sweep of the filter: {summary}");
        }
        // A runner that fails without a failed test (a crash of its own) is a failure all the same.
        let failed = if status.success() { count.failed } else { count.failed.max(1) };
        println!("{} passed, {failed} failed", count.passed);
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// What the tests run for real, so that no test has to wait for it.
fn fetch_all(progress: &mut Progress) -> Result<()> {
    fetch(progress, "Envoy", |say| Ok(EnvoyBinary::locate_or_fetch(say)?.version().to_owned()))?;
    fetch(progress, "clients (Python requests, Node)", |_| {
        Clients::fetch().map(|_| String::new())
    })?;
    fetch(progress, "OpenBao", |say| Ok(BaoBinary::locate_or_fetch(say)?.version().to_owned()))?;
    fetch(progress, "PostgreSQL", |say| {
        Ok(PostgresPrograms::locate_or_fetch(say)?.version().to_owned())
    })?;
    fetch(progress, "wrk", |say| Wrk::locate_or_fetch(say).map(|_| String::new()))?;
    fetch(progress, "promtool", |say| Promtool::locate_or_fetch(say).map(|_| String::new()))?;
    fetch(progress, "a registry (docker-registry, skopeo)", |say| {
        Registry::fetch(say).map(|_| String::new())
    })?;
    fetch(progress, "schemas of Kubernetes, Istio, Compose and CycloneDX; kubectl", |say| {
        Schemas::fetch(say).map(|_| String::new())
    })
}

/// Runs `get`, which calls back with a line for whatever takes long and returns a remark.
fn fetch(
    progress: &mut Progress,
    what: &str,
    get: impl FnOnce(&dyn Fn(&str)) -> Result<String>,
) -> Result<()> {
    let mut step = progress.step(format!("fetching {what}"));
    let remark = {
        let news = RefCell::new(&mut step);
        get(&|line| news.borrow_mut().still(line))?
    };
    step.finish_with(&remark);
    Ok(())
}

fn check(progress: &mut Progress) -> Result<()> {
    step(progress, "checking the format", &["fmt", "--all", "--", "--check"])?;
    step(progress, "clippy", &["clippy", "--all-targets", "--", "-D", "warnings"])?;
    cargo::ensure_wasm_target()?;
    let modules = [&["clippy"], &cargo::MODULES[..], &["--target", cargo::WASM]].concat();
    let modules = [&modules[..], &["--", "-D", "warnings"]].concat();
    step(progress, "clippy on the filter and the simulator's guests (WebAssembly)", &modules)?;
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
/// network, so they are no part of it.
fn check_dependencies(progress: &mut Progress) -> Result<()> {
    let mut deny = None;
    fetch(progress, "cargo-deny", |say| {
        let found = deny.insert(CargoDeny::locate_or_fetch(say)?);
        Ok(found.version().to_owned())
    })?;
    let Some(deny) = deny else { bail!("cargo-deny was not fetched") };
    let mut step = progress.step("checking licences, bans and sources of the dependencies");
    spoken::run(&mut step, &mut deny.check(&Built::root()))?;
    step.finish();
    Ok(())
}

fn step(progress: &mut Progress, name: &str, arguments: &[&str]) -> Result<()> {
    let mut step = progress.step(name);
    spoken::run(&mut step, &mut cargo(arguments))?;
    step.finish();
    Ok(())
}

fn has_nextest() -> bool {
    let mut asked: Command = cargo(&["nextest", "--version"]);
    asked.stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

/// `Summary [ 0.081s] 16 tests run: 14 passed (1 slow), 1 failed, 1 timed out, 3 skipped`: what ran
/// and did not pass has failed, whatever it is called.
fn nextest_count(lines: &[String]) -> Count {
    let summary = lines.iter().rev().find_map(|line| {
        let (_, summary) = line.split_once("Summary [")?;
        let (before, results) = summary.split_once(" run: ")?;
        let ran = before.rsplit(' ').nth(1)?.split('/').next()?.parse().ok()?;
        Some((ran, results))
    });
    let Some((ran, results)) = summary else { return Count::default() };
    let passed = number_before(results, " passed").unwrap_or(0);
    Count { passed, failed: usize::saturating_sub(ran, passed) }
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; ..`, once a test program.
fn cargo_test_count(lines: &[String]) -> Count {
    let results = lines.iter().filter(|line| line.starts_with("test result:"));
    results.fold(Count::default(), |count, line| Count {
        passed: count.passed + number_before(line, " passed").unwrap_or(0),
        failed: count.failed + number_before(line, " failed").unwrap_or(0),
    })
}

fn number_before(text: &str, word: &str) -> Option<usize> {
    let (before, _) = text.split_once(word)?;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn nextest_summaries_count_what_ran() {
        let count = |text| nextest_count(&lines(text));
        let all = "     Summary [   0.081s] 16 tests run: 16 passed, 0 skipped";
        assert_eq!(count(all), Count { passed: 16, failed: 0 });
        let some =
            "  Summary [ 1.2s] 16 tests run: 13 passed (1 slow), 2 failed, 1 timed out, 4 skipped";
        assert_eq!(count(some), Count { passed: 13, failed: 3 });
        let cut = "  Summary [ 1.2s] 7/16 tests run: 7 passed, 0 skipped";
        assert_eq!(count(cut), Count { passed: 7, failed: 0 });
        let one = "  Summary [ 1.2s] 1 test run: 0 passed, 1 failed, 15 skipped";
        assert_eq!(count(one), Count { passed: 0, failed: 1 });
        assert_eq!(count("error: could not compile"), Count::default());
    }

    #[test]
    fn cargo_test_summaries_add_up_without_what_was_ignored() {
        let text = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    running 3 tests\n\
                    test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured";
        assert_eq!(cargo_test_count(&lines(text)), Count { passed: 7, failed: 1 });
    }
}
