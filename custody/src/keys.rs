//! The keys Session JWTs are verified with, issuer by issuer: fixed, or fetched and kept fresh.
//!
//! A token is verified with the keys of the issuer that it names, and with no others.
//!
//! Of a remote key set:
//! * Which key is good is what the set says, at most one refresh late. An issuer keeps a replaced key
//!   in its set for the overlap; one that it takes out (a key that leaked, say) is out here too.
//! * A `kid` that we do not know asks for the set once more, at most every [`UNKNOWN_KID_PAUSE`]:
//!   tokens are free to forge, and their `kid`s must not become load on the issuer.
//! * While the issuer is down the last good set stays, for a bounded time; then every session of it is
//!   answered 503. Sessions of other issuers are not touched.
//! * Without any set yet, every session of it is answered 503; custody runs and keeps trying.

mod issuers;
mod remote;
mod sessions;
mod source;

use crate::limits::SessionLimits;
use crate::metrics::Metrics;
use custody_base::outbound::{Endpoint, Reach, ReachFault};
use futures_util::future::join_all;
pub use issuers::Issuers;
use remote::Remote;
pub use remote::{Schedule, UNKNOWN_KID_PAUSE};
use session::unverified::UnverifiedJwt;
use session::{KeySet, Refusal, Rules, Session, UnixSeconds};
pub use sessions::VerifyFault;
use sessions::{Sessions, Token, TokenDigest};
use source::HttpKeys;
use std::sync::Arc;

/// Whose sessions are accepted.
#[derive(Debug, Clone)]
pub struct SessionRules {
    /// At least one.
    pub issuers: Vec<TrustedIssuer>,
    /// Seconds by which clocks may differ.
    pub leeway: u64,
    pub limits: SessionLimits,
}

/// The rules and keys of one issuer.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    pub rules: Rules,
    pub keys: SessionKeySource,
}

/// The keys, or where they are.
#[derive(Debug, Clone)]
pub enum SessionKeySource {
    Fixed(KeySet),
    Remote(Box<RemoteKeys>),
}

/// A key set that is fetched from its issuer.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    pub url: Endpoint,
    pub reach: Reach,
    pub schedule: Schedule,
}

/// Verifies Session JWTs with whatever keys are good at the moment.
pub struct SessionKeys(Vec<KeysOfIssuer>);

struct KeysOfIssuer {
    rules: Rules,
    keys: Keys,
}

/// Where the keys come from. The client of a remote set is built.
enum Source {
    Fixed(KeySet),
    Remote(HttpKeys, Schedule),
}

/// The keys, and the sessions that were verified with them.
enum Keys {
    Fixed(Box<Sessions>),
    Remote(Remote),
}

// === impl SessionRules ===

impl SessionRules {
    pub fn issuers(&self) -> Issuers {
        Issuers::new(self.issuers.iter().map(|issuer| issuer.rules.clone()))
    }
}

// === impl SessionKeys ===

impl SessionKeys {
    /// As the configuration says. Waits for the first answer of every issuer, whatever it is.
    ///
    /// # Errors
    /// The client for remote keys cannot be built. An issuer that does not answer is no error.
    pub async fn open(config: SessionRules, metrics: &Arc<Metrics>) -> Result<Self, ReachFault> {
        let mut sources = Vec::new();
        for TrustedIssuer { rules, keys } in config.issuers {
            sources.push((rules, Source::new(keys)?));
        }
        // All at once: an issuer that is silent does not keep the next from being asked.
        let opened = sources.into_iter().map(async |(rules, source)| {
            let keys = source.open(&rules, metrics).await;
            KeysOfIssuer { rules, keys }
        });
        Ok(Self(join_all(opened).await))
    }

    /// As [`session::Verifier::verify`]; may wait for one fetch if the token names a key that we do not know.
    ///
    /// # Errors
    /// [`VerifyFault`].
    pub async fn verify(
        &self,
        token: &[u8],
        now: UnixSeconds,
    ) -> Result<Arc<Session>, VerifyFault> {
        let token = Token::new(token);
        if let Some(found) = self.0.iter().find_map(|own| own.keys.find(&token.digest, now)) {
            return Ok(found?);
        }
        let jwt = UnverifiedJwt::read(token.bytes)?;
        let place = jwt.choose(self.0.iter().map(|own| &own.rules))?;
        let own = self.0.get(place).ok_or(VerifyFault::NoKeys)?;
        match &own.keys {
            Keys::Fixed(sessions) => Ok(sessions.verify(jwt, token.digest, now)?),
            Keys::Remote(remote) => remote.verify(token, jwt, now).await,
        }
    }
}

// === impl Source ===

impl Source {
    fn new(keys: SessionKeySource) -> Result<Self, ReachFault> {
        Ok(match keys {
            SessionKeySource::Fixed(keys) => Self::Fixed(keys),
            SessionKeySource::Remote(remote) => {
                let RemoteKeys { url, reach, schedule } = *remote;
                Self::Remote(HttpKeys::new(reach.client()?, url), schedule)
            }
        })
    }

    async fn open(self, rules: &Rules, metrics: &Arc<Metrics>) -> Keys {
        match self {
            Self::Fixed(keys) => Keys::Fixed(Box::new(Sessions::new(rules.clone(), keys))),
            Self::Remote(source, schedule) => Keys::Remote(
                Remote::start(rules.clone(), source, schedule, Arc::clone(metrics)).await,
            ),
        }
    }
}

// === impl Keys ===

impl Keys {
    /// As [`Sessions::find`].
    fn find(
        &self,
        digest: &TokenDigest,
        now: UnixSeconds,
    ) -> Option<Result<Arc<Session>, Refusal>> {
        match self {
            Self::Fixed(sessions) => sessions.find(digest, now),
            Self::Remote(remote) => remote.find(digest, now),
        }
    }
}
