//! Turns, and what they come to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::group::{Part, SESSIONS};
use super::load::Turn;

/// Everything that was measured.
#[derive(Default, Serialize)]
pub struct Table {
    pub envoy: String,
    pub parts: BTreeMap<Part, Vec<Measured>>,
    /// Bytes that a worker takes more with the filter than without.
    pub worker: Option<f64>,
}

/// A row, turn by turn.
#[derive(Serialize)]
pub struct Measured {
    pub name: String,
    pub turns: Vec<Turn>,
    /// Bytes of its Envoy at the end.
    pub memory: f64,
}

// === impl Table ===

impl Table {
    /// The row of this name.
    pub fn row(&self, part: Part, name: &str) -> Option<&Measured> {
        self.parts.get(&part)?.iter().find(|row| row.name == name)
    }

    /// Bytes that a session with a lease takes: by what an Envoy with the most of them has grown beyond
    /// one with a single one.
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    pub fn session_memory(&self) -> Option<f64> {
        let [one, .., most] = self.parts.get(&Part::Sessions)?.as_slice() else { return None };
        let [few, _, many] = SESSIONS;
        Some((most.memory - one.memory) / (many - few) as f64)
    }

    /// How much more CPU one row takes than another: the median of what the turns of a round differ
    /// by, so that what slows the machine for a while weighs on both.
    pub fn added(&self, part: Part, name: &str, over: &str) -> Option<f64> {
        let (row, over) = (self.row(part, name)?, self.row(part, over)?);
        let pairs = row.turns.iter().zip(&over.turns);
        Some(median(pairs.map(|(turn, over)| turn.cpu - over.cpu).collect()))
    }

    /// How many times as much CPU, in the same way.
    pub fn ratio(&self, part: Part, name: &str, over: &str) -> Option<f64> {
        let (row, over) = (self.row(part, name)?, self.row(part, over)?);
        let pairs = row.turns.iter().zip(&over.turns);
        Some(median(pairs.map(|(turn, over)| turn.cpu / over.cpu).collect()))
    }
}

// === impl Measured ===

impl Measured {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), turns: Vec::new(), memory: 0.0 }
    }

    pub fn median(&self, of: impl Fn(&Turn) -> f64) -> f64 {
        median(self.turns.iter().map(of).collect())
    }

    /// The least and the most CPU of a turn.
    pub fn spread(&self) -> (f64, f64) {
        let cpu = || self.turns.iter().map(|turn| turn.cpu);
        (cpu().fold(f64::INFINITY, f64::min), cpu().fold(0.0, f64::max))
    }
}

/// The middle one; of an even number the mean of the two in the middle. 0 of none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    let upper = numbers.get(half).copied().unwrap_or_default();
    let lower = half.checked_sub(1).and_then(|n| numbers.get(n)).copied();
    match lower {
        Some(lower) if numbers.len().is_multiple_of(2) => f64::midpoint(lower, upper),
        _ => upper,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, cpu: &[f64]) -> Measured {
        let turn = |cpu: &f64| Turn { cpu: *cpu, p50: 0.0, p99: 0.0, per_second: 0.0 };
        Measured { turns: cpu.iter().map(turn).collect(), ..Measured::new(name) }
    }

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn a_round_on_a_slow_machine_weighs_on_both_rows() {
        let rows = vec![row("plain", &[50.0, 90.0, 52.0]), row("ours", &[60.0, 102.0, 62.0])];
        let table = Table { parts: [(Part::Clear, rows)].into(), ..Table::default() };
        assert_eq!(table.added(Part::Clear, "ours", "plain"), Some(10.0));
        assert_eq!(table.row(Part::Clear, "plain").unwrap().spread(), (50.0, 90.0));
        assert_eq!(table.added(Part::Clear, "ours", "nobody"), None);
    }
}
