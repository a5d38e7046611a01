//! What an origin tells of a credential: that it came, and a fingerprint.

use sha2::{Digest, Sha256};

/// Hexadecimal digits of a fingerprint: enough to tell credentials apart, too few to test guesses
/// of a secret with any certainty.
const DIGITS: usize = 12;

/// The first 12 hexadecimal digits of the SHA-256 of `value`.
pub fn fingerprint(value: &[u8]) -> String {
    let mut digits = base16ct::lower::encode_string(&Sha256::digest(value));
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_head_of_sha_256() {
        // printf %s abc | sha256sum
        assert_eq!(fingerprint(b"abc"), "ba7816bf8f01");
    }
}
