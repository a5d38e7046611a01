//! When a notice is tried again, and when no more.

use lease::UnixSeconds;

/// Seconds between the first two tries, and at most.
const FIRST: u64 = 1;
const MOST: u64 = 600;
/// Seconds from the failure within which somebody must have taken the notice.
const PATIENCE: u64 = 24 * 60 * 60;

/// After `tries` failed tries and one more: twice as long each time, half of it by `chance`, so
/// that what failed together is not tried together. `None`: it has been a day.
pub(super) fn next_try(
    at: UnixSeconds,
    tries: u32,
    now: UnixSeconds,
    chance: u32,
) -> Option<UnixSeconds> {
    let whole = 1_u64.checked_shl(tries).map_or(MOST, |factor| FIRST.saturating_mul(factor));
    let whole = whole.min(MOST);
    let half = whole / 2;
    let jitter = (u64::from(chance) * (whole - half + 1)) >> 32;
    let next = now.saturating_add((half + jitter).max(FIRST));
    (next < at.saturating_add(PATIENCE)).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_each_time_up_to_ten_minutes() {
        let longest = |tries| next_try(0, tries, 0, u32::MAX).unwrap();
        let shortest = |tries| next_try(0, tries, 0, 0).unwrap();
        let tries = [0, 1, 2, 9, 10, 31, 32, 63, 64, u32::MAX];
        assert_eq!(tries.map(longest), [1, 2, 4, 512, 600, 600, 600, 600, 600, 600]);
        assert_eq!(tries.map(shortest), [1, 1, 2, 256, 300, 300, 300, 300, 300, 300]);
    }

    #[test]
    fn given_up_after_a_day() {
        let day = 86_400;
        assert_eq!(next_try(1_000, 0, 1_000 + day - 2, 0), Some(1_000 + day - 1));
        assert_eq!(next_try(1_000, 0, 1_000 + day - 1, 0), None);
        // A clock that was set back gives more time, never a failure.
        assert_eq!(next_try(1_000, 0, 0, 0), Some(1));
    }
}
