//! The test runner, cargo-nextest, by the profiles in `.config/nextest.toml`. What came of the tests is read
//! from the JUnit report that it leaves.

use std::env;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result, bail};
use stack::built::Built;
use stack::dev_tools::DevProgram;

use crate::cargo;
use crate::command;

/// cargo-nextest reads how many tests run at a time.
const THREADS: &str = "NEXTEST_TEST_THREADS";

/// A profile of `.config/nextest.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Default,
    Fast,
    Ci,
}

/// How many tests ran, and how they ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: usize,
    pub failed: usize,
}

/// Runs the tests that `arguments` select, and shows what the runner writes.
///
/// # Errors
/// The runner cannot be started, or ran no test.
pub fn run(runner: &DevProgram, profile: Profile, arguments: &[&str]) -> Result<Count> {
    let report = profile.report()?;
    // The report of an earlier run must not be taken for this one's.
    match fs::remove_file(&report) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| report.display().to_string());
        }
        _ => {}
    }
    let mut command = runner.command(&Built::root());
    cargo::remove_own_variables(&mut command);
    command.args(["nextest", "run", "--profile", profile.name(), "--no-tests=fail"]);
    if env::var_os(THREADS).is_none() {
        command.env(THREADS, profile.threads().to_string());
    }
    let status = command::run_shown(command.args(arguments))?;
    let Ok(text) = fs::read_to_string(&report) else { bail!("no test ran ({status})") };
    let mut count = Count::read(&text).with_context(|| format!("reading {}", report.display()))?;
    if count == Count::default() {
        bail!("no test ran ({status})");
    }
    // A runner that fails without a failed test (a crash of its own) is a failure all the same.
    if !status.success() {
        count.failed = count.failed.max(1);
    }
    Ok(count)
}

// === impl Profile ===

impl Profile {
    /// How many tests run at a time. Most tests of the whole run wait for programs of others, so the cores would
    /// be idle for half of it.
    fn threads(self) -> usize {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match self {
            Self::Fast => cores,
            Self::Default | Self::Ci => cores + cores.div_ceil(2),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Fast => "fast",
            Self::Ci => "ci",
        }
    }

    fn report(self) -> Result<PathBuf> {
        Ok(Built::find()?.target().join("nextest").join(self.name()).join("junit.xml"))
    }
}

// === impl Count ===

impl Count {
    /// The totals of a JUnit report. A test that did not pass has failed, whatever the report calls it.
    fn read(report: &str) -> Result<Self> {
        let document = roxmltree::Document::parse(report).context("the report is not XML")?;
        let root = document.root_element();
        let number = |name: &str| -> Result<usize> {
            let value =
                root.attribute(name).with_context(|| format!("the report has no `{name}`"))?;
            value.parse().with_context(|| format!("`{name}` of the report is {value:?}"))
        };
        let failed = number("failures")? + number("errors")?;
        // Not every version of the report has it.
        let skipped = if root.has_attribute("skipped") { number("skipped")? } else { 0 };
        let passed = number("tests")?.checked_sub(failed + skipped);
        let passed = passed.context("the report has more failures than tests")?;
        Ok(Self { passed, failed })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(totals: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"nextest-run\" {totals} uuid=\"0\" time=\"0.1\">\n\
             <testsuite name=\"lease\" tests=\"2\" disabled=\"0\" errors=\"0\" failures=\"1\">\n\
             <testcase name=\"a\" classname=\"lease\" time=\"0.005\"/>\n\
             <testcase name=\"b\" classname=\"lease\"><failure type=\"test failure\"/></testcase>\n\
             </testsuite></testsuites>"
        )
    }

    #[test]
    fn report_of_every_outcome_counts_what_ran() {
        let count = |totals| Count::read(&report(totals)).unwrap();
        let passed = r#"tests="16" failures="0" errors="0""#;
        assert_eq!(count(passed), Count { passed: 16, failed: 0 });
        let failed = r#"tests="16" failures="2" errors="1""#;
        assert_eq!(count(failed), Count { passed: 13, failed: 3 });
        assert_eq!(count(failed).to_string(), "13 passed, 3 failed");
        let skipped = r#"tests="16" skipped="4" failures="1" errors="0""#;
        assert_eq!(count(skipped), Count { passed: 11, failed: 1 });
    }

    #[test]
    fn report_that_is_cut_off_is_refused_with_the_reason() {
        let refused = |text: &str| format!("{:#}", Count::read(text).unwrap_err());
        let whole = report(r#"tests="16" failures="0" errors="0""#);
        let (half, _) = whole.split_at(whole.len() / 2);
        assert!(refused(half).starts_with("the report is not XML: "), "{}", refused(half));
        let without = report(r#"tests="16" failures="0""#);
        assert_eq!(refused(&without), "the report has no `errors`");
        let odd = report(r#"tests="1" failures="2" errors="0""#);
        assert_eq!(refused(&odd), "the report has more failures than tests");
    }
}
