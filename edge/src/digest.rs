//! Keys of what is remembered: no token or claim is kept as a key.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// SipHash-2-4 with 128 bits over everything an entry depends on.
pub type Digest = [u8; 16];

/// A map by digests. They are spread evenly already, and no guest can find out how. So a second hash would
/// gain nothing.
pub type ByDigest<V> = HashMap<Digest, V, BuildHasherDefault<IdentityHasher>>;

/// The end of a digest, as it is.
#[derive(Default)]
pub struct IdentityHasher(u64);

/// Makes digests under a key of its own, which never leaves this VM.
///
/// Every request is looked up by the digest of its token, and SHA-256 over that cost more than all the
/// rest of a decision. SipHash is a keyed function made for this (Aumasson and Bernstein, 2012).
/// Without the key nobody can look for two inputs with one digest, and one guess in 2^128 hits.
#[derive(Clone, Copy)]
pub struct Digester {
    key: [u64; 2],
}

// === impl Digester ===

impl Digester {
    /// `key`: random numbers that are used for nothing else.
    pub fn new(key: [u64; 2]) -> Self {
        Self { key }
    }

    pub fn digest(self, parts: &[&[u8]]) -> Digest {
        let [key0, key1] = self.key;
        let mut hasher = SipHasher24::new_with_keys(key0, key1);
        for part in parts {
            // Length first, so that no two lists of parts run together to the same bytes.
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish128().as_bytes()
    }
}

// === impl IdentityHasher ===

impl Hasher for IdentityHasher {
    /// Of several writes (a slice's length comes first) the last one counts.
    fn write(&mut self, bytes: &[u8]) {
        if let Some(end) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*end);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::BuildHasher;

    #[test]
    fn maps_spread_by_the_digest_itself() {
        let hash =
            |digest: Digest| BuildHasherDefault::<IdentityHasher>::default().hash_one(digest);
        let mut digest = [0; 16];
        digest[15] = 1;
        assert_eq!(hash(digest), 1 << 56);
    }

    #[test]
    fn parts_and_keys_tell_digests_apart() {
        let digester = Digester::new([7; 2]);
        let one = digester.digest(&[b"ab", b"c"]);
        assert_eq!(one, digester.digest(&[b"ab", b"c"]));
        for other in [&[&b"a"[..], b"bc"][..], &[b"abc"], &[b"ab", b"c", b""], &[]] {
            assert_ne!(one, digester.digest(other));
        }
        assert_ne!(one, Digester::new([8; 2]).digest(&[b"ab", b"c"]));
    }
}
