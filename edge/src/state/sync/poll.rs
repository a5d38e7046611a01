//! When the edge polls custody.

use crate::clock::Now;
use crate::policy::custody::SyncSettings;
use crate::rng::Rng;
use std::time::Duration;

/// A long poll behind the other, and after a failure a pause.
pub struct Poll {
    wait: Duration,
    under_way: bool,
    next: Duration,
    failures: u32,
    /// Polls that may follow an answer at once; a custody that answers without end would otherwise be
    /// asked without end.
    spare: u8,
    spared_at: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Well under the shortest `max_staleness`, so that one lost answer denies nobody.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
const SPARE: u8 = 20;
const SPARED_EVERY: Duration = Duration::from_secs(1);

// === impl Poll ===

impl Poll {
    pub fn new(settings: &SyncSettings, now: Now) -> Self {
        Self {
            wait: settings.wait,
            under_way: false,
            next: now.steady,
            failures: 0,
            spare: SPARE,
            spared_at: now.steady,
        }
    }

    /// Seconds that custody may hold its answer back, if it is to be asked now. The first answer, and
    /// one after a failure, is wanted at once.
    pub fn due(&mut self, knows_something: bool, now: Now) -> Option<Duration> {
        if self.under_way || now.steady < self.next {
            return None;
        }
        self.under_way = true;
        let patient = knows_something && self.failures == 0;
        Some(if patient { self.wait } else { Duration::ZERO })
    }

    /// May the next poll follow at once?
    pub fn answered(&mut self, now: Now) -> bool {
        (self.under_way, self.failures, self.next) = (false, 0, now.steady);
        if now.steady.saturating_sub(self.spared_at) >= SPARED_EVERY {
            (self.spare, self.spared_at) = (SPARE, now.steady);
        }
        let spare = self.spare > 0;
        self.spare = self.spare.saturating_sub(1);
        spare
    }

    pub fn failed(&mut self, now: Now, rng: &mut Rng) {
        self.under_way = false;
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(3)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        // Half of it is jitter: custody comes back to a few at a time.
        self.next = now.steady.saturating_add(pause / 2 + rng.up_to(pause / 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { wall: Duration::ZERO, steady: Duration::from_millis(millis) }
    }

    fn poll() -> Poll {
        let config =
            SyncSettings { wait: Duration::from_secs(20), max_staleness: Duration::from_secs(30) };
        Poll::new(&config, at(0))
    }

    #[test]
    fn one_poll_at_a_time_and_the_first_answer_at_once() {
        let mut poll = poll();
        assert_eq!(poll.due(false, at(0)), Some(Duration::ZERO));
        assert_eq!(poll.due(false, at(99_000)), None);
        assert!(poll.answered(at(99_000)));
        assert_eq!(poll.due(true, at(99_000)), Some(Duration::from_secs(20)));
    }

    #[test]
    fn failures_pause_and_are_not_forgotten_before_an_answer() {
        let (mut poll, mut rng) = (poll(), Rng::new([1; 32]));
        let mut now = 0;
        for pause in [500, 1000, 2000, 4000, 4000, 4000] {
            assert!(poll.due(true, at(now)).is_some());
            poll.failed(at(now), &mut rng);
            assert_eq!(poll.due(true, at(now + pause / 2 - 1)), None, "{pause}");
            now += pause;
        }
        assert_eq!(poll.due(true, at(now)), Some(Duration::ZERO), "wanted at once");
        poll.answered(at(now));
        assert_eq!(poll.due(true, at(now)), Some(Duration::from_secs(20)));
    }

    #[test]
    fn a_custody_that_answers_without_end_is_not_asked_without_end() {
        let mut poll = poll();
        let at_once = (0..100).filter(|_| poll.answered(at(10))).count();
        assert_eq!(at_once, usize::from(SPARE));
        assert!(poll.answered(at(1010)));
    }
}
