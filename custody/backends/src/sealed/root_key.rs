//! The root key, and what is derived from it.

use super::signer::SignerFault;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use custody_base::actor::Actor;
use custody_base::files::{FileFault, read_private};
use hkdf::Hkdf;
use sha2::Sha256;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// 32 random bytes that every other key of the store comes from.
pub struct RootKey(Zeroizing<[u8; 32]>);

/// The keys of one store: the root key with that store's salt.
///
/// `HKDF-SHA256(ikm = root key, salt = the store's random 32 bytes, info = purpose)`, RFC 5869.
pub struct StoreKeys(Hkdf<Sha256>);

/// A key for AES-256-GCM.
pub type SealingKey = Zeroizing<[u8; 32]>;

/// The root key could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyFault {
    #[error(transparent)]
    File(#[from] FileFault),
    #[error(
        "{}: not a root key: it must be 32 bytes as 64 hex digits or as 43 characters of base64url",
        .0.display()
    )]
    Format(PathBuf),
}

const ACTOR_INFO: &[u8] = b"leasehold/custody/v1/actor\0";
const CHECK_INFO: &[u8] = b"leasehold/custody/v1/key-check";

// === impl RootKey ===

impl RootKey {
    /// Loads the key from a file that its owner alone may read, or its group, as in Kubernetes.
    pub fn load(path: &Path) -> Result<Self, RootKeyFault> {
        let text = read_private(path)?;
        Self::parse(&text).ok_or_else(|| RootKeyFault::Format(path.to_owned()))
    }

    /// Reads 64 hex digits or 43 characters of unpadded base64url; blanks around them are fine.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let mut key = Zeroizing::new([0; 32]);
        match text.len() {
            // Constant time, as the digits are those of the key.
            64 => _ = base16ct::mixed::decode(text, &mut *key).ok()?,
            43 => {
                let written = URL_SAFE_NO_PAD.decode_slice(text, &mut *key).ok()?;
                if written != key.len() {
                    return None;
                }
            }
            _ => return None,
        }
        Some(Self(key))
    }

    /// A new key, as it is written into a file.
    pub fn generate() -> Result<Zeroizing<String>, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key)?;
        // 43 characters of base64url and a line end.
        let mut text = Zeroizing::new(String::with_capacity(48));
        URL_SAFE_NO_PAD.encode_string(key.as_slice(), &mut text);
        text.push('\n');
        Ok(text)
    }

    pub fn for_store(&self, salt: &[u8; 32]) -> StoreKeys {
        StoreKeys(Hkdf::new(Some(salt), &*self.0))
    }
}

// === impl StoreKeys ===

impl StoreKeys {
    /// The key of everything this actor owns.
    ///
    /// # Errors
    /// [`SignerFault::Derivation`]; there is no key then, not even one of zeros.
    pub fn of_actor(&self, actor: &Actor) -> Result<SealingKey, SignerFault> {
        self.expand(&[ACTOR_INFO, actor.as_str().as_bytes()])
    }

    /// Distinguishes the right root key from a wrong one, and discloses nothing about it.
    ///
    /// # Errors
    /// [`SignerFault::Derivation`].
    pub fn check(&self) -> Result<SealingKey, SignerFault> {
        self.expand(&[CHECK_INFO])
    }

    fn expand<const N: usize>(&self, info: &[&[u8]]) -> Result<Zeroizing<[u8; N]>, SignerFault> {
        let mut key = Zeroizing::new([0; N]);
        let expanded = self.0.expand_multi_info(info, &mut *key);
        expanded.map(|()| key).map_err(|_| SignerFault::Derivation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_key() {
        let hex = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
        let base64url = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let a = RootKey::parse(hex.as_bytes()).unwrap();
        let b = RootKey::parse(format!(" {base64url}\r\n").as_bytes()).unwrap();
        assert_eq!(*a.0, *b.0);
        assert_eq!(a.0[31], 0x1f);
        for bad in ["", "00", &hex[..62], &format!("{hex}00"), &hex.replace('A', "g")] {
            assert!(RootKey::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(RootKey::parse(&[b'+'; 43]).is_none());
        assert!(RootKey::parse(RootKey::generate().unwrap().as_bytes()).is_some());
    }

    #[test]
    fn every_actor_and_store_has_its_own_key() {
        let root = RootKey::parse(&[b'a'; 64]).unwrap();
        let keys = root.for_store(&[1; 32]);
        let of = |keys: &StoreKeys, actor: &str| keys.of_actor(&actor.parse().unwrap()).unwrap();
        assert_eq!(of(&keys, "a"), of(&keys, "a"));
        assert_ne!(of(&keys, "a"), of(&keys, "b"));
        assert_ne!(of(&keys, "a"), of(&root.for_store(&[2; 32]), "a"));
        assert_ne!(keys.check().unwrap(), of(&keys, "a"));
    }

    #[test]
    fn failed_derivation_returns_an_error_and_no_key() {
        let keys = RootKey::parse(&[b'a'; 64]).unwrap().for_store(&[1; 32]);
        // RFC 5869 section 2.3: 255 blocks of 32 bytes at most.
        assert!(keys.expand::<{ 255 * 32 }>(&[CHECK_INFO]).is_ok());
        let failed = keys.expand::<{ 255 * 32 + 1 }>(&[CHECK_INFO]);
        assert_eq!(failed.err(), Some(SignerFault::Derivation));
    }
}
