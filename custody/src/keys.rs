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
use session::{KeySet, Rules, Session, UnixSeconds};
use sessions::Sessions;
pub use sessions::VerifyFault;
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
    held: Held,
}

enum Held {
    Fixed(Sessions),
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
            let source = match keys {
                SessionKeySource::Fixed(keys) => Err(keys),
                SessionKeySource::Remote(remote) => {
                    let RemoteKeys { url, reach, schedule } = *remote;
                    Ok((HttpKeys::new(reach.client()?, url), schedule))
                }
            };
            sources.push((rules, source));
        }
        // All at once: an issuer that is silent does not keep the next from being asked.
        let opened = sources.into_iter().map(async |(rules, source)| {
            let held = match source {
                Err(keys) => Held::Fixed(Sessions::new(rules.clone(), keys)),
                Ok((source, schedule)) => {
                    let metrics = Arc::clone(metrics);
                    Held::Remote(Remote::start(rules.clone(), source, schedule, metrics).await)
                }
            };
            KeysOfIssuer { rules, held }
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
        let jwt = UnverifiedJwt::read(token)?;
        let place = jwt.choose(self.0.iter().map(|own| &own.rules))?;
        let own = self.0.get(place).ok_or(VerifyFault::NoKeys)?;
        match &own.held {
            Held::Fixed(sessions) => Ok(sessions.verify(token, now)?),
            Held::Remote(remote) => remote.verify(token, now).await,
        }
    }
}
