//! The keys Session JWTs are verified with: fixed, or fetched from their issuer and kept fresh.
//!
//! Of a remote key set:
//! * Which key is good is what the set says, at most one refresh late. An issuer keeps a replaced key
//!   in its set for the overlap; one that it takes out (a key that leaked, say) is out here too.
//! * A `kid` that we do not know asks for the set once more, at most every [`UNKNOWN_KID_PAUSE`]:
//!   tokens are free to forge, and their `kid`s must not become load on the issuer.
//! * While the issuer is down the last good set stays, for a bounded time; then every session is
//!   answered 503.
//! * Without any set yet, every session is answered 503; custody runs and keeps trying.

mod remote;
mod sessions;
mod source;

use crate::limits::SessionLimits;
use crate::metrics::Metrics;
use custody_base::outbound::{Endpoint, Reach, ReachFault};
use remote::Remote;
pub use remote::{Schedule, UNKNOWN_KID_PAUSE};
use session::{KeySet, Rules, Session, UnixSeconds};
use sessions::Sessions;
pub use sessions::VerifyFault;
pub use source::{HttpKeys, KeySource};
use std::sync::Arc;

/// The rules and keys of the verifier.
#[derive(Debug, Clone)]
pub struct SessionRules {
    pub rules: Rules,
    pub keys: SessionKeySource,
    pub limits: SessionLimits,
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
pub struct SessionKeys(Held);

enum Held {
    Fixed(Sessions),
    Remote(Remote),
}

// === impl SessionKeys ===

impl SessionKeys {
    /// As the configuration says.
    ///
    /// # Errors
    /// The client for remote keys cannot be built. An issuer that does not answer is no error.
    pub async fn open(config: SessionRules, metrics: &Arc<Metrics>) -> Result<Self, ReachFault> {
        let SessionRules { rules, keys, .. } = config;
        Ok(match keys {
            SessionKeySource::Fixed(keys) => Self::fixed(rules, keys),
            SessionKeySource::Remote(remote) => {
                let RemoteKeys { url, reach, schedule } = *remote;
                let source = HttpKeys::new(reach.client()?, url);
                Self::remote(rules, source, schedule, Arc::clone(metrics)).await
            }
        })
    }

    /// Keys that stand in the configuration.
    pub fn fixed(rules: Rules, keys: KeySet) -> Self {
        Self(Held::Fixed(Sessions::new(rules, keys)))
    }

    /// Keys that are fetched. Waits for the first answer of the source, whatever it is; what fails
    /// is tried again beside, until the value is dropped.
    pub async fn remote(
        rules: Rules,
        source: impl KeySource,
        schedule: Schedule,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self(Held::Remote(Remote::start(rules, source, schedule, metrics).await))
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
        match &self.0 {
            Held::Fixed(sessions) => Ok(sessions.verify(token, now)?),
            Held::Remote(remote) => remote.verify(token, now).await,
        }
    }
}
