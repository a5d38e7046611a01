//! The table of clients: for people, as JSON, and in docs/clients.md.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use stack::benchmarks;
use stack::built::Built;

use super::catalog::Client;
use super::guest::Call;

const PAGE: &str = "docs/clients.md";
const COMMAND: &str = "cargo xtask clients --write";

/// Characters of an output that are shown.
const SHOWN: usize = 1500;

/// One client, and what came.
pub struct Row<'c> {
    pub client: &'c Client,
    pub version: String,
    pub verdict: Verdict,
    /// The allowed call, and the denied one.
    pub calls: Option<[Call; 2]>,
}

pub enum Verdict {
    Works,
    /// The request arrived with the lease, and the client failed.
    Fails,
    NotArrived,
    /// It cannot be fetched, or is not on this machine.
    Missing(String),
}

/// What a user sees of a denial, the best first.
#[derive(Clone, Copy)]
enum Shown {
    Reason,
    Status,
    Nothing,
}

// === impl Row ===

impl<'c> Row<'c> {
    pub fn not_tried(client: &'c Client, reason: String) -> Self {
        Self { client, version: String::new(), verdict: Verdict::Missing(reason), calls: None }
    }

    /// Of two runs of one client, the worse one.
    pub fn or_worse(self, other: Self) -> Self {
        let badness = |row: &Self| {
            let [allowed, denied] = row.calls.as_ref()?;
            let slowest = allowed.duration.max(denied.duration);
            Some((row.verdict.badness(), Shown::of(denied) as u8, slowest))
        };
        if badness(&other) > badness(&self) { other } else { self }
    }

    /// In a few words.
    pub fn summary(&self) -> String {
        let Some([allowed, denied]) = &self.calls else { return self.verdict.name().to_owned() };
        format!(
            "{} in {:.1} s; a denial shows {} in {:.1} s",
            self.verdict.name(),
            allowed.duration.as_secs_f64(),
            Shown::of(denied).name(),
            denied.duration.as_secs_f64(),
        )
    }

    /// What a failed client printed.
    pub fn complaint(&self) -> Option<String> {
        match (&self.verdict, &self.calls) {
            (Verdict::Works, _) => None,
            (Verdict::Missing(reason), _) => Some(reason.clone()),
            (_, calls) => Some(tail(&calls.as_ref()?[0].output)),
        }
    }

    pub fn json(&self) -> Value {
        let call = |call: &Call| json!({"seconds": call.duration.as_secs_f64(), "output": tail(&call.output)});
        json!({
            "client": self.client.name,
            "policy": self.client.policy,
            "version": self.version,
            "sets": self.client.sets,
            "verdict": self.verdict.name(),
            "allowed": self.calls.as_ref().map(|[allowed, _]| call(allowed)),
            "denied": self.calls.as_ref().map(|[_, denied]| call(denied)),
            "denial_shows": self.calls.as_ref().map(|[_, denied]| Shown::of(denied).name()),
        })
    }

    fn markdown(&self) -> String {
        let [allowed, denied] = match &self.calls {
            Some([allowed, denied]) => [
                format!("{}, {:.1} s", self.verdict.name(), allowed.duration.as_secs_f64()),
                format!("{}, {:.1} s", Shown::of(denied).name(), denied.duration.as_secs_f64()),
            ],
            None => [self.verdict.name().to_owned(), String::new()],
        };
        let Client { name, policy, sets, .. } = self.client;
        let policy = policy.as_deref().unwrap_or("all of one host");
        format!("| {name} | {} | {policy} | {sets} | {allowed} | {denied} |", self.version)
    }
}

// === impl Verdict ===

impl Verdict {
    fn badness(&self) -> u8 {
        match self {
            Self::Works => 0,
            Self::Fails => 1,
            Self::NotArrived => 2,
            Self::Missing(_) => 3,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Fails => "fails",
            Self::NotArrived => "does not arrive",
            Self::Missing(_) => "not tried",
        }
    }
}

// === impl Shown ===

impl Shown {
    fn of(denied: &Call) -> Self {
        let has = |text: &str| denied.output.contains(text);
        if has("not on the allow-list") || has("host_not_allowed") {
            Self::Reason
        } else if has("403") || has("Forbidden") {
            Self::Status
        } else {
            Self::Nothing
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reason => "the reason",
            Self::Status => "the status",
            Self::Nothing => "neither",
        }
    }
}

/// The end of an output.
fn tail(output: &str) -> String {
    let skipped = output.chars().count().saturating_sub(SHOWN);
    output.chars().skip(skipped).collect::<String>().trim().to_owned()
}

pub fn for_people(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|row| row.client.name.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for row in rows {
        let _ =
            writeln!(text, "  {:width$}  {:14}  {}", row.client.name, row.version, row.summary());
    }
    let works = rows.iter().filter(|row| matches!(row.verdict, Verdict::Works)).count();
    let _ = write!(text, "\n{works} of {} clients work", rows.len());
    text
}

/// Writes the table into the page.
///
/// # Errors
/// The page has lost the marks around it.
pub fn write(rows: &[Row<'_>]) -> Result<PathBuf> {
    let mut text = format!(
        "Run on {}, in a debug build. \"Works\": the request arrives with the lease, and the client is content.\n\n\
         | client | version | policy | sets beyond the environment | allowed | a denial shows |\n\
         | --- | --- | --- | --- | --- | --- |\n",
        today()?
    );
    rows.iter().for_each(|row| text += &format!("{}\n", row.markdown()));
    let path = Built::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let written = benchmarks::replaced(&page, "Clients", COMMAND, &text).context(PAGE)?;
    fs::write(&path, written).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// Such as 2026-11-30.
fn today() -> Result<String> {
    let output = std::process::Command::new("date").args(["-u", "+%F"]).output().context("date")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
