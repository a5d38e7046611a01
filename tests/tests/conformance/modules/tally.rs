//! How often both hosts agree, by callback and by host function.

use std::collections::BTreeMap;

use super::Told;
use crate::report::{Outcome, Report, Row};

/// Calls with all that is compared of them, as often as each host had them.
#[derive(Default)]
pub struct Tally(BTreeMap<String, Count>);

#[derive(Default)]
struct Count {
    simulated: usize,
    real: usize,
    same: usize,
}

// === impl Tally ===

impl Tally {
    pub fn add(&mut self, simulated: &Told, real: &Told) {
        if simulated.refused != real.refused {
            return;
        }
        let (simulated, mut real) = (counted(&simulated.calls), counted(&real.calls));
        for (call, count) in simulated {
            let of_real = real.remove(call).unwrap_or_default();
            let own = self.of(call);
            own.simulated += count;
            own.real += of_real;
            own.same += count.min(of_real);
        }
        for (call, count) in real {
            self.of(call).real += count;
        }
    }

    fn of(&mut self, call: &str) -> &mut Count {
        let name = call.trim().split(['(', ' ']).next().unwrap_or_default();
        self.0.entry(name.to_owned()).or_default()
    }

    pub fn report(&self) -> Report {
        let rows = self.0.iter().map(|(name, count)| {
            let Count { simulated, real, same } = count;
            let differ =
                (same != simulated || same != real).then(|| format!("{same} are the same"));
            Row {
                case: name.clone(),
                host_sim: simulated.to_string(),
                envoy: Some(real.to_string()),
                outcome: Outcome::of(differ.into_iter().collect(), None),
            }
        });
        Report {
            file: "calls of whole modules, with arguments and results".to_owned(),
            rows: rows.collect(),
        }
    }
}

fn counted(calls: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.as_str()).or_default() += 1;
    }
    counts
}
