//! The keys Session JWTs are verified with: fixed, or fetched from their issuer and kept fresh.
//!
//! Of fetched keys, as in custody:
//! * Which key is good is what the issuer's set says, at most one refresh late. An issuer keeps a
//!   replaced key in its set for the overlap; one that it takes out is out here too, also for tokens
//!   that were verified with it before.
//! * A `kid` that we do not know asks for the set once more, at most every [`UNKNOWN_KID_PAUSE`]:
//!   tokens are free to forge, and their `kid`s must not become load on the issuer. Whoever named it
//!   waits for that fetch, and for no other.
//! * While the issuer is down the last good set stays, for a bounded time; then nobody is believed.
//!
//! Each VM fetches for itself, with the callout that its first tick or its first request makes.

mod fetched;
mod schedule;

pub use fetched::Fetched;
#[cfg(doc)]
use schedule::UNKNOWN_KID_PAUSE;

use crate::clock::Now;
use crate::policy::denial::Denial;
use crate::policy::key_source::KeySource;
use session::unverified::UnverifiedToken;
use session::{Rules, Verifier};

/// Verifies with whatever keys are good at the moment.
pub enum SessionKeys {
    Fixed(Verifier),
    Fetched(Box<Fetched>),
}

// === impl SessionKeys ===

impl SessionKeys {
    pub fn new(rules: &Rules, source: &KeySource, now: Now) -> Self {
        match source {
            KeySource::Fixed(keys) => Self::Fixed(Verifier::new(rules.clone(), keys.clone())),
            KeySource::Fetched(issuer) => {
                Self::Fetched(Box::new(Fetched::new(rules.clone(), issuer.clone(), now)))
            }
        }
    }

    /// # Errors
    /// [`Denial::SessionKeysMissing`], [`Denial::SessionKeysStale`].
    pub fn verifier(&self, now: Now) -> Result<&Verifier, Denial> {
        match self {
            Self::Fixed(verifier) => Ok(verifier),
            Self::Fetched(fetched) => fetched.verifier(now),
        }
    }

    pub fn fetched(&mut self) -> Option<&mut Fetched> {
        match self {
            Self::Fixed(_) => None,
            Self::Fetched(fetched) => Some(fetched),
        }
    }
}

/// Is a token worth asking its issuer for a key? It names one, and claims to be of our issuer; nothing
/// of that is believed.
pub fn is_worth_a_fetch(token: &[u8], rules: &Rules) -> bool {
    let Ok(token) = UnverifiedToken::parse(token) else { return false };
    let names_a_key = token.unverified_header().is_ok_and(|header| header.key_id.is_some());
    let claims = token.unverified_claims().unwrap_or_default();
    names_a_key && claims.get("iss").is_some_and(|iss| iss == rules.issuer.as_str())
}
