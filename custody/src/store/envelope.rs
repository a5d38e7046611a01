//! One sealed value.
//!
//! ```text
//! envelope = format (1 byte, 0x01) || nonce (12 bytes, random) || AES-256-GCM ciphertext and tag
//! aad      = "leasehold/custody/v1/envelope" || len(actor) || actor || len(handle) || handle
//!            || version (8 bytes) || len(shape) || shape            (lengths: 4 bytes, big-endian)
//! ```
//! The associated data ties the value to its row: an envelope that is copied to another handle,
//! actor, version or shape does not open.

use crate::actor::Actor;
use crate::store::root_key::SealingKey;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use lease::{Handle, Secret};

/// The row an envelope belongs to.
pub struct Place<'a> {
    pub actor: &'a Actor,
    pub handle: &'a Handle,
    /// Never used twice in one store.
    pub version: u64,
    /// The shape as it stands in the row (JSON).
    pub shape: &'a str,
}

/// The envelope does not open. GCM does not tell a wrong key from a changed byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value was changed, moved, or sealed with another key")]
pub struct Unopened;

const FORMAT: u8 = 1;
const NONCE: usize = 12;
const DOMAIN: &[u8] = b"leasehold/custody/v1/envelope";

// === impl Place ===

impl Place<'_> {
    fn associated_bytes(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        let mut field = |text: &str| {
            // Lengths in front, or ("ab","c") and ("a","bc") would look alike.
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        field(self.actor.as_str());
        field(self.handle.as_str());
        field(self.shape);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes
    }
}

/// Seals a secret under a fresh random nonce.
///
/// Random 96-bit nonces are safe for 2^32 values under one key (NIST SP 800-38D section 8.3); an
/// actor's key seals one value a `cred put`.
pub fn seal(key: &SealingKey, place: &Place<'_>, secret: &Secret) -> Result<Vec<u8>, Unopened> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| Unopened)?;
    let aad = place.associated_bytes();
    let sealed = cipher(key)
        .encrypt(&Nonce::from(nonce), Payload { msg: secret.expose(), aad: &aad })
        .map_err(|_| Unopened)?;
    let mut envelope = Vec::with_capacity(1 + NONCE + sealed.len());
    envelope.push(FORMAT);
    envelope.extend_from_slice(&nonce);
    envelope.extend_from_slice(&sealed);
    Ok(envelope)
}

/// Opens an envelope that stands in its own place.
pub fn open(key: &SealingKey, place: &Place<'_>, envelope: &[u8]) -> Result<Secret, Unopened> {
    let (format, rest) = envelope.split_first().ok_or(Unopened)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Unopened)?;
    if *format != FORMAT {
        return Err(Unopened);
    }
    let aad = place.associated_bytes();
    cipher(key)
        .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: &aad })
        .map(Secret::new)
        .map_err(|_| Unopened)
}

fn cipher(key: &SealingKey) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(**key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    const KEY: [u8; 32] = [7; 32];

    fn place_of<T>(
        (actor, handle, version, shape): (&str, &str, u64, &str),
        run: impl FnOnce(&Place<'_>) -> T,
    ) -> T {
        let (actor, handle) = (actor.parse().unwrap(), handle.parse().unwrap());
        run(&Place { actor: &actor, handle: &handle, version, shape })
    }

    fn sealed(place: (&str, &str, u64, &str), secret: &[u8]) -> Vec<u8> {
        place_of(place, |place| seal(&Zeroizing::new(KEY), place, &Secret::new(secret)).unwrap())
    }

    fn opened(place: (&str, &str, u64, &str), envelope: &[u8]) -> Option<Vec<u8>> {
        place_of(place, |place| open(&Zeroizing::new(KEY), place, envelope).ok())
            .map(|secret| secret.expose().to_vec())
    }

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let home = ("ab", "cd", 3, "{}");
        let envelope = sealed(home, b"canary");
        assert_eq!(opened(home, &envelope).as_deref(), Some(&b"canary"[..]));
        for elsewhere in [
            ("ab", "cd", 4, "{}"),
            ("ab", "ce", 3, "{}"),
            ("ac", "cd", 3, "{}"),
            ("a", "bcd", 3, "{}"),
            ("abc", "d", 3, "{}"),
            ("ab", "cd", 3, "{ }"),
        ] {
            assert_eq!(opened(elsewhere, &envelope), None, "{elsewhere:?}");
        }
    }

    #[test]
    fn the_wrong_key_opens_nothing() {
        let home = ("a", "b", 1, "");
        let envelope = sealed(home, b"canary");
        for bit in 0..256 {
            let mut key = KEY;
            key[bit / 8] ^= 1 << (bit % 8);
            let opened = place_of(home, |place| open(&Zeroizing::new(key), place, &envelope));
            assert_eq!(opened.err(), Some(Unopened), "bit {bit}");
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let home = ("a", "b", 1, "");
        assert_ne!(sealed(home, b"canary"), sealed(home, b"canary"));
    }

    proptest! {
        #[test]
        fn every_value_comes_back(secret in prop::collection::vec(any::<u8>(), 0..200)) {
            let home = ("a", "b", 1, "");
            prop_assert_eq!(opened(home, &sealed(home, &secret)), Some(secret));
        }

        #[test]
        fn every_changed_bit_is_seen(at in any::<prop::sample::Index>(), bit in 0..8) {
            let home = ("a", "b", 1, "");
            let mut envelope = sealed(home, b"canary canary canary");
            let at = at.index(envelope.len());
            envelope[at] ^= 1u8 << bit;
            prop_assert_eq!(opened(home, &envelope), None);
        }

        #[test]
        fn every_cut_is_seen(cut in any::<prop::sample::Index>()) {
            let home = ("a", "b", 1, "");
            let envelope = sealed(home, b"canary canary canary");
            prop_assert_eq!(opened(home, &envelope[..cut.index(envelope.len())]), None);
        }
    }
}
