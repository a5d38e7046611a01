//! Sessions whose tokens were verified, so that each signature is checked once.

use lru::LruCache;
use session::unverified::UnverifiedJwt;
use session::{KeySet, Refusal, Rules, Session, Unaided, UnixSeconds, Verifier};
use sha2::{Digest, Sha256};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a Session JWT was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyFault {
    /// The token breaks a rule.
    Refused(Refusal),
    /// No keys were fetched yet, or the last good ones are too old: an outage, not a verdict.
    NoKeys,
}

/// The sessions of one key set. Other keys come with a new value of this type, which knows nobody.
///
/// That a token's signature is good never changes; its times are looked at on every use, and so is,
/// by whoever asks, what stands against the session.
pub(super) struct Sessions {
    verifier: Verifier,
    /// By the digest of the very token: another with the same claims is another.
    known: Mutex<LruCache<TokenDigest, Arc<Session>>>,
}

/// A token as it was sent. The digest names it in the caches.
#[derive(Clone, Copy)]
pub(super) struct Token<'t> {
    pub bytes: &'t [u8],
    pub digest: TokenDigest,
}

/// SHA-256 of a token's bytes.
pub(super) type TokenDigest = [u8; 32];

/// Sessions that are remembered; the oldest goes first. No claims are longer than a token may be, 8 KiB.
const PLACES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

// === impl VerifyFault ===

impl VerifyFault {
    /// For the audit log and the metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NoKeys => "session_keys_unavailable",
        }
    }
}

impl From<Refusal> for VerifyFault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

// === impl Token ===

impl<'t> Token<'t> {
    pub fn new(bytes: &'t [u8]) -> Self {
        Self { bytes, digest: Sha256::digest(bytes).into() }
    }
}

// === impl Sessions ===

impl Sessions {
    pub(super) fn new(rules: Rules, keys: KeySet) -> Self {
        Self { verifier: Verifier::new(rules, keys), known: Mutex::new(LruCache::new(PLACES)) }
    }

    /// The session of a token that was verified before; its times are checked again. `None` for any other
    /// token.
    pub(super) fn find(
        &self,
        digest: &TokenDigest,
        now: UnixSeconds,
    ) -> Option<Result<Arc<Session>, Refusal>> {
        let session = self.known().get(digest).map(Arc::clone)?;
        Some(self.verifier.check_time(&session, now).map(|()| session))
    }

    /// As [`Verifier::verify`], of a token that was read and has this digest.
    pub(super) fn verify(
        &self,
        jwt: UnverifiedJwt<'_>,
        digest: TokenDigest,
        now: UnixSeconds,
    ) -> Result<Arc<Session>, Refusal> {
        let session = Arc::new(self.verifier.authenticate_jwt(jwt, &Unaided)?);
        self.known().put(digest, Arc::clone(&session));
        self.verifier.check_time(&session, now)?;
        Ok(session)
    }

    fn known(&self) -> MutexGuard<'_, LruCache<TokenDigest, Arc<Session>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use session::Algorithm;
    use session::mint::SigningKey;

    const NOW: u64 = 1_800_000_000;

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap()
    }

    fn sessions(key: &SigningKey) -> Sessions {
        Sessions::new(Rules::new("i", "a"), KeySet::from_jwks(&key.public_jwks()).unwrap())
    }

    /// As a request does: from the cache, or anew.
    fn verify(sessions: &Sessions, token: &[u8], now: u64) -> Result<Arc<Session>, Refusal> {
        let digest = Sha256::digest(token).into();
        let anew = || sessions.verify(UnverifiedJwt::read(token)?, digest, now);
        sessions.find(&digest, now).unwrap_or_else(anew)
    }

    fn token(key: &SigningKey, subject: &str) -> String {
        let claims = json!({"iss": "i", "aud": "a", "sub": subject, "jti": "j", "iat": NOW,
            "exp": NOW + 600});
        key.sign(&claims).unwrap()
    }

    #[test]
    fn a_token_that_is_known_still_ends() {
        let key = key();
        let (sessions, token) = (sessions(&key), token(&key, "s"));
        let first = verify(&sessions, token.as_bytes(), NOW).unwrap();
        let second = verify(&sessions, token.as_bytes(), NOW + 599).unwrap();
        assert!(Arc::ptr_eq(&first, &second), "it was verified once");
        let late = verify(&sessions, token.as_bytes(), NOW + 700).err();
        assert_eq!(late, Some(Refusal::Expired));
    }

    #[test]
    fn one_changed_byte_is_another_token() {
        let (key, other) = (key(), key());
        let (others, sessions, good) = (sessions(&other), sessions(&key), token(&key, "s"));
        verify(&sessions, good.as_bytes(), NOW).unwrap();
        for at in 0..good.len() {
            let mut forged = good.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert!(verify(&sessions, &forged, NOW).is_err(), "byte {at}");
        }
        assert_eq!(sessions.known().len(), 1, "what is refused is not remembered");
        assert!(verify(&others, good.as_bytes(), NOW).is_err(), "other keys know nobody");
    }

    #[test]
    fn no_more_are_remembered_than_there_are_places() {
        let key = key();
        let sessions = sessions(&key);
        let first = token(&key, "0");
        let known = verify(&sessions, first.as_bytes(), NOW).unwrap();
        for at in 0..PLACES.get() {
            sessions.known().put(Sha256::digest(at.to_be_bytes()).into(), Arc::clone(&known));
        }
        assert_eq!(sessions.known().len(), PLACES.get());
        let again = verify(&sessions, first.as_bytes(), NOW).unwrap();
        assert!(!Arc::ptr_eq(&known, &again), "the oldest went");
    }
}
