//! Token buckets by key, in a bounded space.

use super::Rate;
use lru::LruCache;
use sha2::{Digest, Sha256};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket for each key, of one rate.
///
/// A bucket is one time: when it will be full again (the "theoretical arrival time" of the generic
/// cell rate algorithm, ITU-T I.371). The keys used last are kept; one that is forgotten starts
/// full, so whoever wants to profit needs more verified sessions than there are places.
#[derive(Debug)]
pub struct Buckets {
    rate: Rate,
    full_at: Mutex<LruCache<[u8; 32], Instant>>,
}

/// Buckets kept; about 6 MB.
const PLACES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

// === impl Buckets ===

impl Buckets {
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::new(LruCache::new(PLACES)) }
    }

    /// Takes one from the key's bucket.
    ///
    /// # Errors
    /// It is empty; the time until there is one in it again.
    pub fn take(&self, key: &str, now: Instant) -> Result<(), Duration> {
        // A digest, because a name that a stranger chose may be long.
        let key: [u8; 32] = Sha256::digest(key).into();
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = all.get(&key).copied().unwrap_or(now).max(now) + self.rate.interval();
        let over = full_at.saturating_duration_since(now).saturating_sub(self.rate.period());
        if over.is_zero() {
            all.put(key, full_at);
            Ok(())
        } else {
            Err(over)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new("60/m".parse().unwrap());
        let start = Instant::now();
        for _ in 0..60 {
            assert_eq!(buckets.take("a", start), Ok(()));
        }
        assert_eq!(buckets.take("a", start), Err(Duration::from_secs(1)));
        assert_eq!(buckets.take("b", start), Ok(()), "another's is another");
        assert!(buckets.take("a", start + Duration::from_millis(999)).is_err());
        assert_eq!(buckets.take("a", start + Duration::from_secs(1)), Ok(()));
        assert!(buckets.take("a", start + Duration::from_secs(1)).is_err());
        let later = start + Duration::from_secs(3600);
        let taken = (0..100).filter(|_| buckets.take("a", later).is_ok()).count();
        assert_eq!(taken, 60, "no more than the bucket holds, however long it waited");
    }

    #[test]
    fn the_space_is_bounded() {
        let buckets = Buckets::new("1/h".parse().unwrap());
        let start = Instant::now();
        for key in 0..PLACES.get() + 10 {
            assert_eq!(buckets.take(&key.to_string(), start), Ok(()));
        }
        assert_eq!(buckets.full_at.lock().unwrap().len(), PLACES.get());
        assert!(buckets.take(&PLACES.get().to_string(), start).is_err());
    }
}
