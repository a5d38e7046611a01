//! A request's body, in a few bytes.

use sha2::{Digest, Sha256};

/// SHA-256 of a body as it arrives; what [`LeaseRequest::body_digest`](crate::LeaseRequest) holds. No
/// body and an empty one are the same.
#[derive(Default)]
pub struct BodyDigest {
    hash: Sha256,
    length: usize,
}

// === impl BodyDigest ===

impl BodyDigest {
    /// The next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.length = self.length.saturating_add(bytes.len());
    }

    /// Bytes so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// In lower-case hex.
    pub fn finish(self) -> String {
        base16ct::lower::encode_string(&self.hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_it_is_cut() {
        // printf %s abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for pieces in [vec!["abc"], vec!["a", "bc"], vec!["", "ab", "", "c"]] {
            let mut digest = BodyDigest::default();
            pieces.iter().for_each(|piece| digest.update(piece.as_bytes()));
            assert_eq!((digest.length(), digest.finish().as_str()), (3, abc), "{pieces:?}");
        }
    }
}
