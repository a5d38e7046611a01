//! How long a revocation takes to hold: from the operator's command to the last request that is let
//! through, with the session in use on every worker.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use stack::policy::DEMO_HANDLE;
use stack::progress::Progress;
use stack::{Credential, Stack, StackBuilder, Way, benchmarks, hex};

use crate::cargo::{self, BUILD_STEPS};
use crate::guests::{self, Guest};

const SECTION: &str = "Revocation";
const COMMAND: &str = "cargo xtask bench revocation";
/// A session that is still let through then was not revoked at all.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks at the guests.
const POLL: Duration = Duration::from_millis(1);
/// What 99 of 100 revocations must take at most, in milliseconds.
const GOAL: f64 = 1000.0;

#[derive(Args)]
pub struct Revocation {
    /// How many sessions are revoked, one after the other
    #[arg(long, default_value_t = 200, value_name = "N")]
    revocations: usize,
    /// Workers of Envoy; each hears of revocations for itself
    #[arg(long, default_value_t = 2, value_name = "N")]
    workers: usize,
    /// Connections on which each session is in use
    #[arg(long, default_value_t = 8, value_name = "N")]
    connections: usize,
    /// The numbers as JSON, and BENCHMARKS.md left alone
    #[arg(long)]
    json: bool,
}

/// Milliseconds.
#[derive(Debug, PartialEq, Serialize)]
struct Propagation {
    revocations: usize,
    median: f64,
    p99: f64,
    longest: f64,
    goal_p99: f64,
}

// === impl Revocation ===

impl Revocation {
    pub fn run(&self) -> Result<ExitCode> {
        ensure!(self.revocations > 0 && self.connections > 0, "of nothing there is no median");
        let mut progress = Progress::new(BUILD_STEPS + StackBuilder::STEPS + 1);
        cargo::build(&mut progress)?;
        let stack = Stack::builder()
            .way(Way::Gateway)
            .workers(self.workers)
            .credential(Credential::bearer(DEMO_HANDLE, &hex(24)?))
            .start_telling(&mut progress)?;
        let mut step = progress.step("revoking sessions that are in use");
        let guests: Result<Vec<_>> = (0..self.connections).map(|_| Guest::of(&stack)).collect();
        let guests = guests?;
        let mut took = Vec::with_capacity(self.revocations);
        for number in 1..=self.revocations {
            step.still(&format!("{number} of {}", self.revocations));
            took.push(revoke(&stack, &guests, &format!("bench-{number}"))?);
            stack.origin()?.record().clear();
        }
        step.finish();
        stack.stop()?;
        self.report(&Propagation::of(took)?)
    }

    fn report(&self, propagation: &Propagation) -> Result<ExitCode> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(propagation)?);
        } else {
            let text = self.markdown(propagation)?;
            println!("{text}");
            let path = benchmarks::write_section(SECTION, COMMAND, &text)?;
            eprintln!("wrote the section {SECTION} of {}", path.display());
        }
        Ok(if propagation.p99 <= GOAL { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn markdown(&self, propagation: &Propagation) -> Result<String> {
        let Propagation { revocations, median, p99, longest, goal_p99 } = propagation;
        let met = if p99 <= goal_p99 { "met" } else { "not met" };
        let mut text = format!("On {}.\n\n", benchmarks::machine());
        writeln!(
            text,
            "From the start of `custody revoke session` to the answer of the last request that was let \
             through: {revocations} sessions, each in use on {} connections of {} workers, custody on \
             SQLite, everything on this machine.\n",
            self.connections, self.workers
        )?;
        text.push_str("| | milliseconds | goal |\n| --- | ---: | --- |\n");
        writeln!(text, "| median | {median:.0} | |")?;
        writeln!(text, "| 99 of 100 | {p99:.0} | under {goal_p99:.0}: {met} |")?;
        writeln!(text, "| longest | {longest:.0} | |")?;
        Ok(text)
    }
}

/// Milliseconds from the command to the last answer that was a yes.
fn revoke(stack: &Stack, guests: &[Guest], id: &str) -> Result<f64> {
    let session = guests::session(stack, id)?;
    let served = AtomicUsize::new(0);
    thread::scope(|scope| {
        let using: Vec<_> = guests
            .iter()
            .map(|guest| scope.spawn(|| use_until_revoked(guest, &session, &served)))
            .collect();
        let since = Instant::now();
        while served.load(Ordering::Relaxed) < guests.len() {
            ensure!(since.elapsed() < LIMIT, "not every guest is served");
            thread::sleep(POLL);
        }
        let told = Instant::now();
        stack.custody().operate(&["revoke", "session", id])?;
        let mut last = told;
        for guest in using {
            let accepted = guest.join().ok().context("a guest's thread")??;
            last = last.max(accepted);
        }
        Ok(last.duration_since(told).as_secs_f64() * 1000.0)
    })
}

/// When the last yes came.
fn use_until_revoked(guest: &Guest, session: &str, served: &AtomicUsize) -> Result<Instant> {
    let since = Instant::now();
    let mut accepted = None;
    while since.elapsed() < LIMIT {
        let answered = guest.ask(session)?;
        if answered.is_accepted() {
            if accepted.replace(answered.at).is_none() {
                served.fetch_add(1, Ordering::Relaxed);
            }
        } else if let (Some(last), true) = (accepted, answered.is_denied("session_revoked")) {
            return Ok(last);
        } else {
            bail!("status {}, {:?}", answered.status, answered.reason);
        }
    }
    bail!("let through for {LIMIT:?}")
}

// === impl Propagation ===

impl Propagation {
    fn of(mut took: Vec<f64>) -> Result<Self> {
        took.sort_by(f64::total_cmp);
        // The smallest that so many in a hundred do not exceed.
        let rank = |percent: usize| (took.len() * percent).div_ceil(100).saturating_sub(1);
        let at = |rank: usize| took.get(rank).copied().context("nothing was measured");
        Ok(Self {
            revocations: took.len(),
            median: at(rank(50))?,
            p99: at(rank(99))?,
            longest: at(rank(100))?,
            goal_p99: GOAL,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_what_was_measured() {
        let took: Vec<_> = (1..=200).rev().map(f64::from).collect();
        let propagation = Propagation::of(took).unwrap();
        let Propagation { revocations, median, p99, longest, .. } = propagation;
        assert_eq!((revocations, median, p99, longest), (200, 100.0, 198.0, 200.0));
        assert_eq!(Propagation::of(vec![7.0]).unwrap().p99, 7.0);
        let error = Propagation::of(Vec::new()).err().unwrap();
        assert_eq!(error.to_string(), "nothing was measured");
    }
}
