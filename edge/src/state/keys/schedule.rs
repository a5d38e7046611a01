//! When a key set is fetched.

use crate::clock::Now;
use crate::ids::FetchId;
use crate::rng::Rng;
use std::time::Duration;

/// An unknown `kid` asks for the set at most this often.
pub const UNKNOWN_KID_PAUSE: Duration = Duration::from_secs(10);
/// The first try after a failure, and the longest wait between two.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// One fetch at a time: by the clock, and on demand. Times are the steady clock's.
pub struct Schedule {
    refresh: Duration,
    next: Duration,
    under_way: Option<UnderWay>,
    /// When the last fetch ended, well or not.
    ended_at: Option<Duration>,
    failures: u32,
}

struct UnderWay {
    fetch: FetchId,
    waiting: usize,
}

// === impl Schedule ===

impl Schedule {
    /// Due at once.
    pub fn new(refresh: Duration, now: Now) -> Self {
        Self { refresh, next: now.steady, under_way: None, ended_at: None, failures: 0 }
    }

    pub fn is_due(&self, now: Now) -> bool {
        self.under_way.is_none() && self.next <= now.steady
    }

    pub fn may_be_asked(&self, now: Now) -> bool {
        let pause_is_over = |ended_at| now.steady.saturating_sub(ended_at) >= UNKNOWN_KID_PAUSE;
        self.under_way.is_none() && self.ended_at.is_none_or(pause_is_over)
    }

    pub fn is_fetched_by(&self, fetch: FetchId) -> bool {
        self.under_way.as_ref().is_some_and(|own| own.fetch == fetch)
    }

    pub fn begin(&mut self, fetch: FetchId) {
        self.under_way = Some(UnderWay { fetch, waiting: 0 });
    }

    /// How many wait for the fetch under way.
    pub fn waiting(&self) -> usize {
        self.under_way.as_ref().map_or(0, |own| own.waiting)
    }

    /// One more waits for the fetch under way.
    pub fn join(&mut self) -> Option<FetchId> {
        let UnderWay { fetch, waiting } = self.under_way.as_mut()?;
        *waiting += 1;
        Some(*fetch)
    }

    pub fn succeeded(&mut self, now: Now, rng: &mut Rng) {
        self.failures = 0;
        // Workers that started together do not ask together for ever.
        let wait = self.refresh.mul_f64(0.9) + rng.up_to(self.refresh / 5);
        self.end(now, wait);
    }

    pub fn failed(&mut self, now: Now) {
        let (first, longest) = BACK_OFF;
        let doubled = first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.end(now, doubled.min(longest).min(self.refresh));
    }

    fn end(&mut self, now: Now, wait: Duration) {
        self.under_way = None;
        self.ended_at = Some(now.steady);
        self.next = now.steady.saturating_add(wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now { wall: Duration::ZERO, steady: Duration::from_secs(seconds) }
    }

    fn schedule() -> (Schedule, FetchId, Rng) {
        let refresh = Duration::from_secs(300);
        (Schedule::new(refresh, at(0)), FetchId::new(1), Rng::new([3; 32]))
    }

    #[test]
    fn one_at_a_time_and_again_when_it_is_time() {
        let (mut schedule, fetch, mut rng) = schedule();
        assert!(schedule.is_due(at(0)));
        schedule.begin(fetch);
        assert!(!schedule.is_due(at(9999)) && !schedule.may_be_asked(at(9999)));
        schedule.succeeded(at(10), &mut rng);
        assert!(!schedule.is_due(at(10 + 269)));
        assert!(schedule.is_due(at(10 + 331)));
    }

    #[test]
    fn an_unknown_kid_asks_every_ten_seconds_at_most() {
        let (mut schedule, fetch, mut rng) = schedule();
        assert!(schedule.may_be_asked(at(0)));
        schedule.begin(fetch);
        schedule.succeeded(at(1), &mut rng);
        assert!(!schedule.may_be_asked(at(10)));
        assert!(schedule.may_be_asked(at(11)));
        schedule.begin(fetch);
        schedule.failed(at(12));
        assert!(!schedule.may_be_asked(at(21)), "a failure is no reason to hurry");
        assert!(schedule.is_due(at(13)), "but for the clock");
    }

    #[test]
    fn failures_wait_longer_and_longer_and_never_longer_than_a_refresh() {
        let (mut schedule, fetch, mut rng) = schedule();
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            schedule.begin(fetch);
            schedule.failed(at(now));
            assert!(!schedule.is_due(at(now + wait - 1)), "{wait}");
            now += wait;
            assert!(schedule.is_due(at(now)), "{wait}");
        }
        schedule.begin(fetch);
        schedule.succeeded(at(now), &mut rng);
        schedule.begin(fetch);
        schedule.failed(at(now));
        assert!(schedule.is_due(at(now + 1)));
    }

    #[test]
    fn each_that_waits_is_counted_until_its_fetch_ends() {
        let (mut schedule, fetch, mut rng) = schedule();
        assert_eq!(schedule.join(), None, "nothing is under way");
        schedule.begin(fetch);
        for waiting in 0..3 {
            assert_eq!(schedule.waiting(), waiting);
            assert_eq!(schedule.join(), Some(fetch));
        }
        schedule.succeeded(at(1), &mut rng);
        assert_eq!(schedule.waiting(), 0);
    }
}
