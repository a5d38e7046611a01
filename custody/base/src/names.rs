//! Names that custody makes itself: random ones, and ones that are digests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

/// `PREFIX_` and 128 random bits: nobody guesses the name of something of somebody else's.
///
/// # Errors
/// The operating system gives no randomness.
pub fn fresh_id(prefix: &str) -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(random)))
}

/// `PREFIX_`, the time, and 80 random bits, laid out as a UUIDv7 is (RFC 9562, section 5.7): names of one
/// moment are neighbours in an index, so that many rows change few pages. Nothing reads the time; it is random
/// too while the clock is before 1970.
///
/// # Errors
/// The operating system gives no randomness.
pub fn dated_id(prefix: &str) -> Result<String, getrandom::Error> {
    let mut id = [0; 16];
    let (time, random) = id.split_at_mut(6);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(now) => {
            // The lower 48 bits of the milliseconds.
            let [_, _, milliseconds @ ..] = (now.as_millis() as u64).to_be_bytes();
            time.copy_from_slice(&milliseconds);
        }
        Err(_) => getrandom::fill(time)?,
    }
    getrandom::fill(random)?;
    Ok(format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(id)))
}

/// SHA-256 over the fields, each with its length in front (8 bytes, big-endian), so that no two lists
/// run together into one.
pub fn digest_of<'a>(fields: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unlike() {
        for make in [fresh_id, dated_id] {
            let ids: std::collections::BTreeSet<_> =
                (0..100).map(|_| make("lse").unwrap()).collect();
            assert_eq!(ids.len(), 100);
            assert!(ids.iter().all(|id| id.len() == 26));
        }
    }

    #[test]
    fn ids_of_one_moment_are_neighbours() {
        let (one, other) = (dated_id("lse").unwrap(), dated_id("lse").unwrap());
        // The first four characters of the time last four hours.
        assert_eq!(one[..8], other[..8]);
    }

    #[test]
    fn lists_do_not_run_together() {
        assert_ne!(digest_of(["ab", "c"]), digest_of(["a", "bc"]));
        assert_ne!(digest_of(["ab"]), digest_of(["ab", ""]));
    }
}
