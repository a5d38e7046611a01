//! What was found, and whether it is fine.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use stack::Stack;

use super::load_generator::{LoadGenerator, PROPAGATION, Tally};

/// Of the run so far.
#[derive(Default)]
pub struct Findings {
    tally: Tally,
    /// Bytes of Envoy, look by look.
    memory: Vec<u64>,
}

/// Memory may be so much more in the last third than it was at most in the second.
const GROWTH: (u64, u64) = (11, 10);
const MIB: u64 = 1 << 20;

// === impl Findings ===

impl Findings {
    /// # Errors
    /// Envoy is gone.
    pub fn look(&mut self, stack: &Stack, load_generator: &LoadGenerator) -> Result<()> {
        self.tally = load_generator.tally();
        self.memory.push(stack.envoy()?.resident_bytes()?);
        stack.origin()?.record().clear();
        Ok(())
    }

    /// The last word, when everybody has gone.
    pub fn judge(&mut self, tally: Tally) {
        self.tally = tally;
        let third = self.memory.len() / 3;
        let most = |range: Option<&[u64]>| range.and_then(|range| range.iter().max().copied());
        let (second, last) =
            (most(self.memory.get(third..2 * third)), most(self.memory.get(2 * third..)));
        if let (Some(second), Some(last)) = (second, last) {
            let (of, over) = GROWTH;
            if last * over > second * of {
                let (second, last) = (second / MIB, last / MIB);
                self.tally.wrong.push(format!("Envoy has grown from {second} to {last} MiB"));
            }
        }
        if self.tally.accepted == 0 {
            self.tally.wrong.push("nobody was ever let through".to_owned());
        }
    }

    pub fn is_fine(&self) -> bool {
        self.tally.wrong.is_empty()
    }

    /// All that was found, and what of it is wrong.
    pub fn report(&self) -> String {
        let Tally { denied, propagation, slowest, wrong, .. } = &self.tally;
        let mut lines = vec![format!("{self}")];
        lines.extend(denied.iter().map(|(reason, times)| format!("  denied {times} x {reason}")));
        let last = |time: &Duration| format!("{:.2} s", time.as_secs_f64());
        lines.push(format!(
            "  a revocation took {} at most (allowed: {}), a request {}",
            last(propagation),
            last(&PROPAGATION),
            last(slowest)
        ));
        lines.extend(wrong.iter().take(20).map(|wrong| format!("  WRONG {wrong}")));
        lines.push(match wrong.len() {
            0 => "soak: nothing wrong".to_owned(),
            n => format!("soak: {n} wrong"),
        });
        lines.join("\n")
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { accepted, denied, propagation, wrong, .. } = &self.tally;
        let denied: u64 = denied.values().sum();
        let memory = self.memory.last().copied().unwrap_or_default() / MIB;
        write!(
            f,
            "{accepted} let through, {denied} denied, longest revocation {:.2} s, Envoy {memory} MiB, \
             {} wrong",
            propagation.as_secs_f64(),
            wrong.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(memory: &[u64]) -> Findings {
        let memory = memory.iter().map(|mib| mib * MIB).collect();
        let mut findings = Findings { memory, ..Findings::default() };
        findings.judge(Tally { accepted: 1, ..Tally::default() });
        findings
    }

    #[test]
    fn memory_that_grows_is_wrong_and_a_warm_up_is_not() {
        assert!(judged(&[100, 150, 200, 210, 220, 225]).is_fine());
        let grown = judged(&[100, 150, 200, 210, 220, 300]);
        assert!(grown.report().contains("WRONG Envoy has grown from 210 to 300 MiB"));
    }

    #[test]
    fn a_run_in_which_nobody_was_served_is_wrong() {
        let mut findings = Findings::default();
        findings.judge(Tally::default());
        assert!(!findings.is_fine());
    }
}
