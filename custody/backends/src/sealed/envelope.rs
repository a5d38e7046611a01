//! The binding of a sealed value to its place, and the sealing of the local signer.
//!
//! ```text
//! envelope = format (1 byte, 0x02) || nonce (12 bytes, random) || AES-256-GCM ciphertext and tag
//! aad      = "leasehold/custody/v2/envelope" || len(actor) || actor || len(handle) || handle
//!            || len(shape) || shape || len(key) || key || version (8 bytes)
//!                                                               (lengths: 4 bytes, big-endian)
//! ```
//! The associated data ties the value to its row: an envelope that is copied to another handle,
//! actor, version, shape or key does not open. The handle is the service that the value is for.

use super::root_key::SealingKey;
use super::signer::SignerFault;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use custody_base::actor::Actor;
use lease::{Handle, Secret};

/// The row an envelope belongs to.
pub struct Place<'a> {
    pub actor: &'a Actor,
    pub handle: &'a Handle,
    /// Never used twice in one store.
    pub version: u64,
    /// The shape as in the row (JSON).
    pub shape: &'a str,
    /// Which key sealed it.
    pub key: &'a str,
}

const FORMAT: u8 = 2;
const NONCE: usize = 12;
const DOMAIN: &[u8] = b"leasehold/custody/v2/envelope";

// === impl Place ===

impl Place<'_> {
    /// The associated data.
    pub fn aad(&self) -> Vec<u8> {
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
        field(self.key);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes
    }
}

/// Seals a secret under a fresh random nonce.
///
/// Random 96-bit nonces are safe for 2^32 values under one key (NIST SP 800-38D section 8.3); an
/// actor's key seals one value a `cred put`.
pub fn seal(key: &SealingKey, aad: &[u8], secret: &Secret) -> Result<Vec<u8>, SignerFault> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| SignerFault::Randomness)?;
    let sealed = cipher(key)
        .encrypt(&Nonce::from(nonce), Payload { msg: secret.expose(), aad })
        .map_err(|_| SignerFault::Unopened)?;
    let mut envelope = Vec::with_capacity(1 + NONCE + sealed.len());
    envelope.push(FORMAT);
    envelope.extend_from_slice(&nonce);
    envelope.extend_from_slice(&sealed);
    Ok(envelope)
}

/// Opens an envelope in its own place.
pub fn open(key: &SealingKey, aad: &[u8], envelope: &[u8]) -> Result<Secret, SignerFault> {
    let (format, rest) = envelope.split_first().ok_or(SignerFault::Unopened)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(SignerFault::Unopened)?;
    if *format != FORMAT {
        return Err(SignerFault::Unopened);
    }
    cipher(key)
        .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad })
        .map(Secret::new)
        .map_err(|_| SignerFault::Unopened)
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

    type Where<'a> = (&'a str, &'a str, u64, &'a str, &'a str);

    fn aad((actor, handle, version, shape, key): Where<'_>) -> Vec<u8> {
        let (actor, handle) = (actor.parse().unwrap(), handle.parse().unwrap());
        Place { actor: &actor, handle: &handle, version, shape, key }.aad()
    }

    fn sealed(place: Where<'_>, secret: &[u8]) -> Vec<u8> {
        seal(&Zeroizing::new(KEY), &aad(place), &Secret::new(secret)).unwrap()
    }

    fn opened(place: Where<'_>, envelope: &[u8]) -> Option<Vec<u8>> {
        let secret = open(&Zeroizing::new(KEY), &aad(place), envelope).ok()?;
        Some(secret.expose().to_vec())
    }

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let home = ("ab", "cd", 3, "{}", "k");
        let envelope = sealed(home, b"canary");
        assert_eq!(opened(home, &envelope).as_deref(), Some(&b"canary"[..]));
        for elsewhere in [
            ("ab", "cd", 4, "{}", "k"),
            ("ab", "ce", 3, "{}", "k"),
            ("ac", "cd", 3, "{}", "k"),
            ("a", "bcd", 3, "{}", "k"),
            ("abc", "d", 3, "{}", "k"),
            ("ab", "cd", 3, "{ }", "k"),
            ("ab", "cd", 3, "{}", "l"),
            ("ab", "cd", 3, "{}k", ""),
        ] {
            assert_eq!(opened(elsewhere, &envelope), None, "{elsewhere:?}");
        }
    }

    #[test]
    fn the_wrong_key_opens_nothing() {
        let home = ("a", "b", 1, "", "k");
        let envelope = sealed(home, b"canary");
        for bit in 0..256 {
            let mut key = KEY;
            key[bit / 8] ^= 1 << (bit % 8);
            let opened = open(&Zeroizing::new(key), &aad(home), &envelope);
            assert_eq!(opened.err(), Some(SignerFault::Unopened), "bit {bit}");
        }
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let home = ("a", "b", 1, "", "k");
        assert_ne!(sealed(home, b"canary"), sealed(home, b"canary"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_open(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(opened(("a", "b", 1, "", "k"), &bytes), None);
            let framed = [&[FORMAT][..], &bytes].concat();
            prop_assert_eq!(opened(("a", "b", 1, "", "k"), &framed), None);
        }

        /// No two places have one and the same associated data.
        #[test]
        fn unlike_places_are_unlike(
            one in ("[a-c]{1,3}", "[a-c]{1,3}", 0u64..3, "[a-c]{0,3}", "[a-c]{0,3}"),
            two in ("[a-c]{1,3}", "[a-c]{1,3}", 0u64..3, "[a-c]{0,3}", "[a-c]{0,3}"),
        ) {
            let of = |p: &(String, String, u64, String, String)| aad((&p.0, &p.1, p.2, &p.3, &p.4));
            prop_assert_eq!(one == two, of(&one) == of(&two));
        }

        #[test]
        fn every_value_comes_back(secret in prop::collection::vec(any::<u8>(), 0..200)) {
            let home = ("a", "b", 1, "", "k");
            prop_assert_eq!(opened(home, &sealed(home, &secret)), Some(secret));
        }

        #[test]
        fn every_changed_bit_is_seen(at in any::<prop::sample::Index>(), bit in 0..8) {
            let home = ("a", "b", 1, "", "k");
            let mut envelope = sealed(home, b"canary canary canary");
            let at = at.index(envelope.len());
            envelope[at] ^= 1u8 << bit;
            prop_assert_eq!(opened(home, &envelope), None);
        }

        #[test]
        fn every_cut_is_seen(cut in any::<prop::sample::Index>()) {
            let home = ("a", "b", 1, "", "k");
            let envelope = sealed(home, b"canary canary canary");
            prop_assert_eq!(opened(home, &envelope[..cut.index(envelope.len())]), None);
        }
    }
}
