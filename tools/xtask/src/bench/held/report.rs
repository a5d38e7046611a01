//! What the rounds come to.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;
use stack::benchmarks;

use super::arm::Latencies;
use crate::bench::measured::median;

/// What the filter may add to the other guest's longest wait, in milliseconds.
const GOAL: f64 = 50.0;

/// Without the filter and with it.
pub type Rounds = Vec<(Latencies, Latencies)>;

/// The rounds of one run.
#[derive(Serialize)]
pub struct Compared {
    pub streams: usize,
    pub rounds: Rounds,
}

// === impl Compared ===

impl Compared {
    pub fn is_met(&self) -> bool {
        self.added(|waits| waits.opening) < GOAL && self.added(|waits| waits.resetting) < GOAL
    }

    /// The median of what the two of a round differ by, so that what slows the machine for a while weighs on
    /// both.
    fn added(&self, of: impl Fn(&Latencies) -> f64) -> f64 {
        median(self.rounds.iter().map(|(plain, filter)| of(filter) - of(plain)).collect())
    }

    fn medians(&self, of: impl Fn(&Latencies) -> f64) -> (f64, f64) {
        let plain = self.rounds.iter().map(|(plain, _)| of(plain)).collect();
        (median(plain), median(self.rounds.iter().map(|(_, filter)| of(filter)).collect()))
    }

    pub fn markdown(&self) -> Result<String> {
        let Self { streams, rounds } = self;
        let mut text = format!("On {}.\n\n", benchmarks::machine());
        writeln!(
            text,
            "A guest opens {streams} streams at once through a gateway of one worker, and resets them at once. \
             The filter holds them for a lease that does not come; without the filter, Envoy's fault filter holds \
             them. Another guest asks for what takes no credential, one request behind the other. Medians of {} \
             rounds; \"added\" is the median of the differences within a round.\n",
            rounds.len()
        )?;
        text.push_str("| the other guest's longest wait, milliseconds | without the filter | with it | added | goal |\n");
        text.push_str("| --- | ---: | ---: | ---: | --- |\n");
        let goal = |added: f64| {
            let is_met = if added < GOAL { "met" } else { "not met" };
            format!("under {GOAL:.0}: {is_met}")
        };
        self.row(&mut text, "nothing else is there", |waits| waits.alone, |_| String::new())?;
        self.row(&mut text, "the streams are opened", |waits| waits.opening, goal)?;
        self.row(&mut text, "all are held", |waits| waits.holding, |_| String::new())?;
        self.row(&mut text, "all are reset", |waits| waits.resetting, goal)?;
        text.push_str("\n| what that takes | without the filter | with it | added |\n");
        text.push_str("| --- | ---: | ---: | ---: |\n");
        self.cost(&mut text, "opening all, milliseconds", |waits| waits.opened_in)?;
        self.cost(&mut text, "resetting all, milliseconds", |waits| waits.reset_in)?;
        self.cost(&mut text, "opening one, µs of the worker's CPU", |waits| waits.opening_cpu)?;
        self.cost(&mut text, "resetting one, µs of the worker's CPU", |waits| {
            waits.resetting_cpu
        })?;
        Ok(text)
    }

    fn row(
        &self,
        text: &mut String,
        name: &str,
        of: impl Fn(&Latencies) -> f64 + Copy,
        goal: impl Fn(f64) -> String,
    ) -> Result<()> {
        let ((plain, filter), added) = (self.medians(of), self.added(of));
        let goal = goal(added);
        Ok(writeln!(text, "| {name} | {plain:.1} | {filter:.1} | {added:.1} | {goal} |")?)
    }

    fn cost(
        &self,
        text: &mut String,
        name: &str,
        of: impl Fn(&Latencies) -> f64 + Copy,
    ) -> Result<()> {
        let ((plain, filter), added) = (self.medians(of), self.added(of));
        Ok(writeln!(text, "| {name} | {plain:.1} | {filter:.1} | {added:.1} |")?)
    }
}
