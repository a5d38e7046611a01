//! Sessions whose tokens have been verified, so that each token is verified once a VM, and the forged
//! among them briefly, so that a flood of them costs little.

use crate::clock::Now;
use crate::digest::{Digest, Digester};
use crate::fifo_map::FifoMap;
use crate::policy::denial::Denial;
use crate::state::keys::{IssuerPlace, SessionKeys};
use session::unverified::UnverifiedJwt;
use session::{Refusal, Session, Signatures, Unaided};
use std::time::Duration;

/// The signature of a token never changes its mind; its times are checked on every use.
pub struct Sessions {
    digester: Digester,
    signatures: Box<dyn Signatures>,
    authenticated: FifoMap<Known>,
    forged: FifoMap<Forged>,
}

/// A session, and the digest of its very token.
pub struct Verified {
    pub session: Session,
    pub token: Digest,
}

struct Known {
    session: Session,
    issuer: IssuerPlace,
    /// Since the last report.
    seen: bool,
    /// Under the current keys. A session that is not is kept for the report alone.
    is_verified: bool,
}

struct Forged {
    refusal: Refusal,
    /// By the steady clock.
    until: Duration,
}

const CAPACITY: usize = 65_536;
const FORGED_CAPACITY: usize = 1024;
/// Long enough for a flood, short enough that a key added meanwhile soon verifies.
const FORGED_FOR: Duration = Duration::from_secs(10);

// === impl Sessions ===

impl Sessions {
    pub fn new(digester: Digester) -> Self {
        Self {
            digester,
            signatures: Box::new(Unaided),
            authenticated: FifoMap::new(CAPACITY),
            forged: FifoMap::new(FORGED_CAPACITY),
        }
    }

    /// Sets the helper that checks signatures from now on.
    pub fn aided_by(&mut self, signatures: Box<dyn Signatures>) {
        self.signatures = signatures;
    }

    /// # Errors
    /// Why the token is not accepted, or that its issuer's keys are not there.
    pub fn verify(
        &mut self,
        keys: &SessionKeys,
        token: &[u8],
        now: Now,
    ) -> Result<Verified, Denial> {
        if token.len() > session::TOKEN_BYTES {
            return Err(Refusal::TooLarge.into());
        }
        let key = self.digester.digest(&[token]);
        let known = self.authenticated.get_mut(&key);
        let was_seen = known.as_ref().is_some_and(|known| known.seen);
        if let Some(Known { session, issuer, seen, is_verified: true }) = known {
            keys.verifier(*issuer, now)?.check_time(session, now.unix())?;
            *seen = true;
            return Ok(Verified { session: session.clone(), token: key });
        }
        if let Some(forged) = self.forged.get(&key).filter(|forged| now.steady < forged.until) {
            return Err(forged.refusal.into());
        }
        let jwt = UnverifiedJwt::read(token)?;
        let issuer = keys.choose(&jwt)?;
        let verifier = keys.verifier(issuer, now)?;
        match verifier.authenticate_jwt(jwt, &*self.signatures) {
            Ok(session) => {
                let timely = verifier.check_time(&session, now.unix());
                let seen = was_seen || timely.is_ok();
                let known = Known { session: session.clone(), issuer, seen, is_verified: true };
                self.authenticated.insert(key, known);
                timely?;
                Ok(Verified { session, token: key })
            }
            Err(refusal) => {
                // Everything else is found out before the signature is looked at, and cheap.
                if matches!(
                    refusal,
                    Refusal::Signature
                        | Refusal::Claims(_)
                        | Refusal::Name
                        | Refusal::Required
                        | Refusal::Audience
                ) {
                    let until = now.steady.saturating_add(FORGED_FOR);
                    self.forged.insert(key, Forged { refusal, until });
                }
                Err(refusal.into())
            }
        }
    }

    /// Drops sessions that have ended, `leeway` seconds ago by the wall clock, but for those that are
    /// to be reported first.
    pub fn forget_ended(&mut self, leeway: u64, reports: bool, now: Now) {
        let is_over = |session: &Session| session.expires_at().saturating_add(leeway) <= now.unix();
        self.authenticated.retain(|Known { session, seen, is_verified, .. }| {
            (reports && *seen) || (*is_verified && !is_over(session))
        });
    }

    /// The keys of this issuer are others: its tokens are verified again. Sessions that are to be reported
    /// still are.
    pub fn forget(&mut self, issuer: IssuerPlace, reports: bool) {
        self.authenticated.retain(|known| known.issuer != issuer || (reports && known.seen));
        for known in self.authenticated.values_mut().filter(|known| known.issuer == issuer) {
            known.is_verified = false;
        }
        self.forged = FifoMap::new(FORGED_CAPACITY);
    }

    /// The tokens whose sessions are to be reported as in use.
    pub fn in_use(&self) -> impl Iterator<Item = Digest> {
        self.authenticated.iter().filter(|(_, known)| known.seen).map(|(token, _)| *token)
    }

    /// The session of this token, if it is to be reported.
    pub fn name_in_use(&self, token: &Digest) -> Option<&str> {
        let known = self.authenticated.get(token).filter(|known| known.seen)?;
        Some(known.session.id())
    }

    /// The report has the session of this token.
    pub fn mark_reported(&mut self, token: &Digest) {
        if let Some(known) = self.authenticated.get_mut(token) {
            known.seen = false;
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.authenticated.len()
    }
}
