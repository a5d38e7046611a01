//! Which denials get a line in the log. Guests make denials, as many as they like; they are not to fill a
//! disk with them, nor to cost Envoy a line each.
//!
//! Nothing is lost by it but lines: every denial is counted, and is in the access log.

use crate::policy::denial::Denial;
use std::collections::BTreeMap;
use std::time::Duration;

/// The denials of the second that runs, by their code.
#[derive(Default)]
pub struct DenialLogLimiter {
    denials: BTreeMap<&'static str, u64>,
    /// By the steady clock.
    since: Duration,
}

/// Lines a code and second.
pub const LINES: u64 = 10;
const SECOND: Duration = Duration::from_secs(1);

// === impl DenialLogLimiter ===

impl DenialLogLimiter {
    /// Does this one get a line?
    pub fn has_a_line(&mut self, denial: Denial) -> bool {
        let denials = self.denials.entry(denial.code()).or_default();
        *denials += 1;
        *denials <= LINES
    }

    /// Time has passed: about once a second. Returns the denials without a line, code by code.
    pub fn tick(&mut self, steady: Duration) -> Vec<(&'static str, u64)> {
        if steady.saturating_sub(self.since) < SECOND {
            return Vec::new();
        }
        self.since = steady;
        let over = std::mem::take(&mut self.denials).into_iter();
        over.filter_map(|(code, denials)| Some((code, denials.checked_sub(LINES + 1)? + 1)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_and_code_get_a_line_and_the_others_a_number() {
        let mut limiter = DenialLogLimiter::default();
        let mut lines =
            |denial, times: u64| (0..times).filter(|_| limiter.has_a_line(denial)).count();
        assert_eq!(lines(Denial::HostNotAllowed, 10), 10);
        assert_eq!(lines(Denial::SessionMissing, 11), 10);
        assert_eq!(lines(Denial::PathNotAllowed, 5000), 10);
        // A tick that comes early ends no second.
        assert_eq!(limiter.tick(Duration::from_millis(999)), []);
        assert!(!limiter.has_a_line(Denial::PathNotAllowed));
        let untold = [("path_not_allowed", 4991), ("session_missing", 1)];
        assert_eq!(limiter.tick(Duration::from_secs(1)), untold);
        assert_eq!(limiter.tick(Duration::from_secs(2)), []);
        assert!(limiter.has_a_line(Denial::PathNotAllowed));
    }
}
