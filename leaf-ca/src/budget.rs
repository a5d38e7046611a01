//! How many leaves are minted for names that guests make up.

use std::time::{Duration, SystemTime};

/// A bucket of tokens, one a leaf.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    tokens: u32,
    /// Up to when time has been turned into tokens.
    counted: SystemTime,
}

/// Leaves at once.
pub const BURST: u32 = 32;
/// The time after which one more may be minted: eight a second.
const INTERVAL: Duration = Duration::from_millis(125);

// === impl Budget ===

impl Budget {
    pub fn full(now: SystemTime) -> Self {
        Self { tokens: BURST, counted: now }
    }

    /// Takes a token; `false` if there is none.
    pub fn spend(&mut self, now: SystemTime) -> bool {
        let passed = match now.duration_since(self.counted) {
            Ok(passed) => passed,
            // The clock was set back.
            Err(_) => {
                self.counted = now;
                Duration::ZERO
            }
        };
        let earned = passed.as_nanos() / INTERVAL.as_nanos();
        match u32::try_from(earned) {
            Ok(earned) if earned < BURST => {
                self.tokens = (self.tokens + earned).min(BURST);
                self.counted += INTERVAL * earned;
            }
            _ => *self = Self::full(now),
        }
        let has_token = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        has_token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_budget_fills_with_time() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let mut budget = Budget::full(start);
        assert!((0..BURST).all(|_| budget.spend(start)));
        assert!(!budget.spend(start));
        assert!(!budget.spend(start + INTERVAL / 2));
        assert!(budget.spend(start + INTERVAL));
        assert!(!budget.spend(start + INTERVAL));
        let later = start + Duration::from_secs(3600);
        assert!((0..BURST).all(|_| budget.spend(later)));
        assert!(!budget.spend(later));
    }

    #[test]
    fn a_clock_set_back_earns_nothing_and_stops_nothing() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let mut budget = Budget::full(start);
        assert!((0..BURST).all(|_| budget.spend(start)));
        let back = start - Duration::from_secs(500);
        assert!(!budget.spend(back));
        assert!(budget.spend(back + INTERVAL));
    }
}
