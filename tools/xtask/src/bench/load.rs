//! Load on an Envoy, by wrk, and what it cost that Envoy.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use stack::wrk::Wrk;

use super::edge::Edge;

/// What is asked, and how.
#[derive(Clone)]
pub struct Load {
    pub requests: Requests,
    pub connections: usize,
    pub expected: Expected,
}

/// Files of requests, as requests.lua reads them.
#[derive(Clone)]
pub enum Requests {
    /// The same in each round, over and over.
    Same(PathBuf),
    /// A file a round, each of its requests made once.
    New(Vec<PathBuf>),
}

/// What the guest is to get; anything else is no measurement.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Forwarded,
    Refused,
}

/// One turn of load.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Turn {
    /// Microseconds of the Envoy process's CPU, a request.
    pub cpu: f64,
    /// Microseconds, as the guest sees it.
    pub p50: f64,
    pub p99: f64,
    pub per_second: f64,
}

/// How long a turn of warming up is.
const WARMING: Duration = Duration::from_secs(1);
/// Where many requests are made in turn, each round begins with others.
const STRIDE: usize = 17_777;

/// Runs wrk.
pub struct Loader {
    wrk: Wrk,
    script: PathBuf,
}

/// What requests.lua says.
#[derive(Deserialize)]
struct WrkReport {
    requests: u64,
    refused: u64,
    broken: u64,
    p50_us: f64,
    p99_us: f64,
}

// === impl Loader ===

impl Loader {
    /// # Errors
    /// There is no wrk, or the script cannot be written.
    pub fn new(folder: &Path, on_progress: &dyn Fn(&str)) -> Result<Self> {
        let script = folder.join("requests.lua");
        fs::write(&script, include_str!("requests.lua")).context("writing wrk's script")?;
        Ok(Self { wrk: Wrk::locate_or_fetch(on_progress)?, script })
    }

    /// Makes every request of `file` at least once.
    ///
    /// # Errors
    /// As [`Loader::turn`].
    pub fn warm_up(&self, edge: &Edge, load: &Load, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        // Some of the last ones asked for were not answered when time was up.
        let wanted = text.lines().count() + load.connections;
        let mut made = 0;
        while made < wanted {
            let report = self.run(edge, load, (file, "again"), made, WARMING)?;
            made += usize::try_from(report.requests)?.saturating_sub(load.connections).max(1);
        }
        Ok(())
    }

    /// Puts the load of `round` on `edge` for that long, or until each request was made once.
    ///
    /// # Errors
    /// wrk fails, or the guest does not get what it should.
    pub fn turn(&self, edge: &Edge, load: &Load, round: usize, time: Duration) -> Result<Turn> {
        let (file, how, from) = match &load.requests {
            Requests::Same(file) => (file, "again", round * STRIDE),
            Requests::New(files) => {
                (files.get(round).context("requests for this round")?, "once", 0)
            }
        };
        let before = edge.cpu()?;
        let report = self.run(edge, load, (file, how), from, time)?;
        let cpu = edge.cpu()?.saturating_sub(before);
        Ok(report.turn(cpu, time))
    }

    /// Runs wrk, from the request of this number on.
    fn run(
        &self,
        edge: &Edge,
        load: &Load,
        (file, how): (&Path, &str),
        from: usize,
        time: Duration,
    ) -> Result<WrkReport> {
        let mut command = self.wrk.command();
        command.arg("-t1").arg(format!("-c{}", load.connections));
        command.arg(format!("-d{}s", time.as_secs())).arg("-s").arg(&self.script);
        command.arg(edge.url()).arg("--").arg(file).arg(how).arg(from.to_string());
        let output = command.output().context("running wrk")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let report = said.lines().find_map(|line| line.strip_prefix("RESULT "));
        let report = report.with_context(|| {
            format!("wrk says no result:\n{said}{}", String::from_utf8_lossy(&output.stderr))
        })?;
        let report: WrkReport = serde_json::from_str(report).context("what wrk says")?;
        report.check(load.expected).with_context(|| edge.name().to_owned())?;
        Ok(report)
    }
}

// === impl WrkReport ===

impl WrkReport {
    fn check(&self, expected: Expected) -> Result<()> {
        let refused = match expected {
            Expected::Forwarded => 0,
            Expected::Refused => self.requests,
        };
        if self.requests == 0 || self.broken > 0 || self.refused != refused {
            let Self { requests, refused, broken, .. } = self;
            bail!("of {requests} requests {refused} were refused and {broken} broken off");
        }
        Ok(())
    }

    fn turn(&self, cpu: Duration, time: Duration) -> Turn {
        #[expect(clippy::cast_precision_loss, reason = "a few million at most")]
        let requests = self.requests as f64;
        Turn {
            cpu: cpu.as_secs_f64() * 1e6 / requests,
            p50: self.p50_us,
            p99: self.p99_us,
            per_second: requests / time.as_secs_f64(),
        }
    }
}
