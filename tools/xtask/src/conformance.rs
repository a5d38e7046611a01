//! `cargo xtask conformance`: the cases of `tests/cases` and `policies/cases` on host-sim and on real Envoy, as a
//! table.
//!
//! The tests of `tests/tests/conformance` play them and leave what came in `target/conformance`, a
//! file for each file of cases; here it is read and shown.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use stack::built::Built;
use stack::envoy::EnvoyBinary;
use stack::progress::Progress;

use crate::cargo::{self, BUILD_STEPS, cargo};
use crate::command;

/// The test that plays whole modules.
const MODULES_TEST: &str = "modules_are_the_same_on_both";

/// Characters of the columns.
const CASE: usize = 62;
const VERDICT: usize = 30;

#[derive(Args)]
pub struct Conformance {
    /// Play only files of cases whose name holds this
    file: Option<String>,
    /// Play the modules (.wasm, .wat) of this folder instead, and compare them call by call; `NAME.config` beside
    /// a module is its plugin configuration
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    modules: Option<PathBuf>,
    /// Play them on the packaged Envoy of this release, such as 1.39.3, in place of the one that is found
    #[arg(long, value_name = "RELEASE")]
    envoy_version: Option<String>,
}

/// What one file of cases came to.
struct Report {
    file: String,
    rows: Vec<Row>,
}

/// One case.
struct Row {
    case: String,
    host_sim: String,
    envoy: String,
    outcome: Outcome,
    notes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Same,
    HostSimOnly,
    Failed,
}

/// How many cases came to what.
pub struct Summary {
    passed: usize,
    failed: usize,
    host_sim_only: usize,
}

// === impl Conformance ===

impl Conformance {
    pub fn run(self) -> Result<ExitCode> {
        let mut progress = Progress::new(BUILD_STEPS + 3);
        cargo::build(&mut progress)?;
        let mut step = progress.step("building the tests");
        let build = ["test", "--test", "conformance", "--no-run"];
        command::run(&mut step, &mut cargo(&build))?;
        step.finish();
        let get = |on_progress: &dyn Fn(&str)| match &self.envoy_version {
            Some(release) => EnvoyBinary::fetch_release(release, on_progress),
            None => EnvoyBinary::locate_or_fetch(on_progress),
        };
        let binary = command::run_fetch(&mut progress, "Envoy", get, |binary| {
            format!("Envoy {}", binary.version())
        })?;

        forget()?;
        let mut step = progress.step("playing every case on host-sim and on Envoy");
        let mut command = cargo(&["test", "--test", "conformance"]);
        command.args(self.file.as_ref().map(|file| file.replace('-', "_")));
        if let Some(folder) = &self.modules {
            let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
            command.arg(MODULES_TEST).env("CONFORMANCE_MODULES", folder);
        }
        command.env("ENVOY_BIN", binary.path());
        let (status, lines) = command::run_captured(&mut step, &mut command)?;
        step.finish();
        let reports = reports()?;
        for report in &reports {
            println!("{report}");
        }
        let summary = Summary::of(&reports);
        if !status.success() && summary.failed == 0 || summary.is_empty() {
            bail!("{}\nthe cases could not be played to the end", lines.join("\n"));
        }
        println!("Envoy {}: {summary}", binary.version());
        Ok(if summary.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Removes what an earlier run left, so that nothing old is taken for new.
///
/// # Errors
/// It cannot be removed.
pub fn forget() -> Result<()> {
    let folder = folder()?;
    if folder.is_dir() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    Ok(())
}

/// What the tests came to; `None` if none of them ran.
///
/// # Errors
/// What they left cannot be read.
pub fn summary() -> Result<Option<Summary>> {
    let summary = Summary::of(&reports()?);
    Ok((!summary.is_empty()).then_some(summary))
}

fn folder() -> Result<PathBuf> {
    Ok(Built::find()?.target().join("conformance"))
}

/// In the order of their names.
fn reports() -> Result<Vec<Report>> {
    let folder = folder()?;
    let mut paths: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(_) => Vec::new(),
    };
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let value: Value = serde_json::from_str(&text)?;
        Report::of(&value).with_context(|| format!("{} is not a report", path.display()))
    };
    paths.into_iter().map(read).collect()
}

// === impl Report ===

impl Report {
    fn of(value: &Value) -> Option<Self> {
        let rows = value.get("rows")?.as_array()?.iter().map(Row::of).collect::<Option<_>>()?;
        Some(Self { file: text(value, "file")?, rows })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:CASE$}  {:VERDICT$}  {:VERDICT$}  same", self.file, "host-sim", "Envoy")?;
        self.rows.iter().try_for_each(|row| write!(f, "{row}"))
    }
}

// === impl Row ===

impl Row {
    fn of(value: &Value) -> Option<Self> {
        let notes = value.get("notes")?.as_array()?.iter();
        Some(Self {
            case: text(value, "case")?,
            host_sim: text(value, "host_sim")?,
            envoy: text(value, "envoy").unwrap_or_default(),
            outcome: match value.get("outcome")?.as_str()? {
                "same" => Outcome::Same,
                "host-sim only" => Outcome::HostSimOnly,
                _ => Outcome::Failed,
            },
            notes: notes.filter_map(|note| Some(note.as_str()?.to_owned())).collect(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, host_sim, envoy, outcome, notes } = self;
        let same = match outcome {
            Outcome::Same => "yes".to_owned(),
            Outcome::HostSimOnly => format!("host-sim only: {}", notes.join(", ")),
            Outcome::Failed => "FAILED".to_owned(),
        };
        let (case, width) = (cut(case, CASE - 2), CASE - 2);
        let (host_sim, envoy) = (cut(host_sim, VERDICT), cut(envoy, VERDICT));
        writeln!(f, "  {case:width$}  {host_sim:VERDICT$}  {envoy:VERDICT$}  {same}")?;
        if *outcome == Outcome::Failed {
            for line in notes.iter().flat_map(|note| note.lines()) {
                writeln!(f, "      {line}")?;
            }
        }
        Ok(())
    }
}

/// So that columns stay columns. What is cut off is in `target/conformance`.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let begin: String = text.chars().take(width - 1).collect();
    format!("{begin}…")
}

fn text(value: &Value, field: &str) -> Option<String> {
    Some(value.get(field)?.as_str()?.to_owned())
}

// === impl Summary ===

impl Summary {
    fn of(reports: &[Report]) -> Self {
        let count = |outcome| {
            let rows = reports.iter().flat_map(|report| &report.rows);
            rows.filter(|row| row.outcome == outcome).count()
        };
        Self {
            passed: count(Outcome::Same),
            failed: count(Outcome::Failed),
            host_sim_only: count(Outcome::HostSimOnly),
        }
    }

    fn is_empty(&self) -> bool {
        self.passed + self.failed + self.host_sim_only == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed ({} more can be played on host-sim only)",
            self.passed, self.failed, self.host_sim_only
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_becomes_rows_and_counts() {
        let row = |case: &str, outcome: &str, notes: Value| {
            let envoy = if outcome == "host-sim only" { json!(null) } else { json!("allowed") };
            json!({"case": case, "host_sim": "allowed", "envoy": envoy, "outcome": outcome, "notes": notes})
        };
        let report = Report::of(&json!({"file": "a", "rows": [
            row("one", "same", json!([])),
            row("two", "host-sim only", json!(["time passes"])),
            row("three", "failed", json!(["status\n  - expected  403"])),
        ]}));
        let report = report.unwrap();
        let shown = report.to_string();
        let lines: Vec<_> = shown.lines().map(str::trim).collect();
        assert!(lines[1].starts_with("one ") && lines[1].ends_with(" yes"), "{shown}");
        assert!(lines[2].ends_with("host-sim only: time passes"), "{shown}");
        assert!(lines[3].ends_with("FAILED"), "{shown}");
        assert_eq!(lines[5], "- expected  403");
        let summary = Summary::of(&[report]).to_string();
        assert_eq!(summary, "1 passed, 1 failed (1 more can be played on host-sim only)");
    }
}
