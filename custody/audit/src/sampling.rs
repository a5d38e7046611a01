//! A bound on records that anybody could provoke.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one record a second through, after a first burst of ten; counts what it holds back.
///
/// Without it, a client with garbage tokens could fill the disk.
#[derive(Debug)]
pub struct Sampler(Mutex<State>);

#[derive(Debug)]
struct State {
    allowance: u32,
    refilled: Instant,
    suppressed: u64,
}

const BURST: u32 = 10;
const INTERVAL: Duration = Duration::from_secs(1);

// === impl Sampler ===

impl Sampler {
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(State { allowance: BURST, refilled: now, suppressed: 0 }))
    }

    /// `Some(n)`: write this one, and record that n before it were not written.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(now)
    }
}

// === impl State ===

impl State {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.refilled);
        let earned = u32::try_from(passed.as_secs() / INTERVAL.as_secs()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.allowance = self.allowance.saturating_add(earned).min(BURST);
            self.refilled = now;
        }
        if self.allowance == 0 {
            self.suppressed += 1;
            return None;
        }
        self.allowance -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_a_bounded_number_of_records() {
        let start = Instant::now();
        let sampler = Sampler::new(start);
        let mut written = 0;
        let mut spoken_for = 0;
        for millisecond in 0..60_000 {
            if let Some(suppressed) = sampler.admit(start + Duration::from_millis(millisecond)) {
                written += 1;
                spoken_for += suppressed + 1;
            }
        }
        assert!((60..=70).contains(&written), "{written}");
        // Everything is counted in some record, but for the last second's.
        assert!(60_000 - spoken_for <= 1000, "{spoken_for}");
    }
}
