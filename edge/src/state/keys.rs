//! The keys Session JWTs are verified with, issuer by issuer: fixed, or fetched and kept fresh.
//!
//! A token is verified with the keys of the issuer that it names, and with no others.
//!
//! Of fetched keys, as in custody:
//! * The issuer's set decides which key is good, at most one refresh late. An issuer keeps a
//!   replaced key in its set for the overlap; one that it takes out is out here too, also for tokens
//!   that were verified with it before.
//! * An unknown `kid` makes the edge fetch the set once more, at most every [`UNKNOWN_KID_PAUSE`]:
//!   tokens are free to forge, and their `kid`s must not become load on the issuer. The request that
//!   named it waits for that fetch, and for no other.
//! * While the issuer is down the last good set stays, for a bounded time; then none of its tokens is
//!   accepted. Other issuers' are.
//!
//! Each VM fetches for itself, with the callout that its first tick or its first request makes.

mod fetched;
mod schedule;

pub use fetched::Fetched;
#[cfg(doc)]
use schedule::UNKNOWN_KID_PAUSE;

use crate::clock::Now;
use crate::ids::FetchId;
use crate::policy::denial::Denial;
use crate::policy::issuer::{Issuer, KeySource};
use session::unverified::UnverifiedJwt;
use session::{Refusal, Rules, Session, Verifier};

/// Verifies with the keys that are good at the moment.
pub struct SessionKeys(Vec<KeysOfIssuer>);

/// Requests that wait for keys at once, of all issuers together. They are held in Envoy's memory, and forging one
/// is free.
const MOST_WAITING: usize = 1024;

/// The place of an issuer in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssuerPlace(usize);

struct KeysOfIssuer {
    rules: Rules,
    keys: Keys,
}

enum Keys {
    Fixed(Verifier),
    Fetched(Box<Fetched>),
}

// === impl SessionKeys ===

impl SessionKeys {
    pub fn new(issuers: &[Issuer], now: Now) -> Self {
        Self(issuers.iter().map(|issuer| KeysOfIssuer::new(issuer, now)).collect())
    }

    /// The issuer whose keys this token must verify with.
    ///
    /// # Errors
    /// It is not one of ours.
    pub fn choose(&self, jwt: &UnverifiedJwt<'_>) -> Result<IssuerPlace, Refusal> {
        jwt.choose(self.0.iter().map(|own| &own.rules)).map(IssuerPlace)
    }

    /// # Errors
    /// [`Denial::SessionKeysMissing`], [`Denial::SessionKeysStale`].
    pub fn verifier(&self, place: IssuerPlace, now: Now) -> Result<&Verifier, Denial> {
        match &self.0.get(place.0).ok_or(Denial::Internal)?.keys {
            Keys::Fixed(verifier) => Ok(verifier),
            Keys::Fetched(fetched) => fetched.verifier(now),
        }
    }

    /// The verifier of a session that was verified before.
    ///
    /// # Errors
    /// As [`SessionKeys::verifier`].
    pub fn verifier_of(&self, session: &Session, now: Now) -> Result<&Verifier, Denial> {
        let place = self.0.iter().position(|own| own.rules.issuer == session.issuer());
        self.verifier(IssuerPlace(place.ok_or(Denial::Internal)?), now)
    }

    /// The issuer that may have the key which this token needs. No claim of the token counts as verified.
    pub fn worth_a_fetch(&self, token: &[u8]) -> Option<IssuerPlace> {
        let jwt = UnverifiedJwt::read(token).ok()?;
        if jwt.names_a_key() { self.choose(&jwt).ok() } else { None }
    }

    /// The fetched keys of one issuer.
    pub fn fetched(&mut self, place: IssuerPlace) -> Option<&mut Fetched> {
        self.0.get_mut(place.0)?.fetched()
    }

    /// The fetch under way for this issuer, for one more request to wait for; none if there is no fetch, or
    /// as many wait for keys as may.
    pub fn join(&mut self, place: IssuerPlace) -> Option<FetchId> {
        let fetched = self.0.iter_mut().filter_map(KeysOfIssuer::fetched);
        let waiting: usize = fetched.map(|keys| keys.waiting()).sum();
        if waiting < MOST_WAITING { self.fetched(place)?.join() } else { None }
    }

    /// The issuers whose keys it is time to fetch.
    pub fn due(&mut self, now: Now) -> Vec<IssuerPlace> {
        let places = self.0.iter_mut().enumerate();
        let due = places.filter_map(|(place, own)| Some((place, own.fetched()?.is_due(now))));
        due.filter(|(_, is_due)| *is_due).map(|(place, _)| IssuerPlace(place)).collect()
    }

    /// The issuer whose keys this fetch is for.
    pub fn fetched_by(&mut self, fetch: FetchId) -> Option<IssuerPlace> {
        let mut all = self.0.iter_mut();
        all.position(|own| own.fetched().is_some_and(|keys| keys.is_fetched_by(fetch)))
            .map(IssuerPlace)
    }
}

// === impl KeysOfIssuer ===

impl KeysOfIssuer {
    fn new(issuer: &Issuer, now: Now) -> Self {
        let rules = issuer.rules.clone();
        let keys = match &issuer.keys {
            KeySource::Fixed(keys) => Keys::Fixed(Verifier::new(rules.clone(), keys.clone())),
            KeySource::Fetched(endpoint) => {
                Keys::Fetched(Box::new(Fetched::new(rules.clone(), endpoint.clone(), now)))
            }
        };
        Self { rules, keys }
    }

    fn fetched(&mut self) -> Option<&mut Fetched> {
        match &mut self.keys {
            Keys::Fixed(_) => None,
            Keys::Fetched(fetched) => Some(fetched),
        }
    }
}
