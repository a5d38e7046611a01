//! Sessions whose tokens have been verified, so that each token is verified once a VM, and the forged
//! among them briefly, so that a flood of them costs little.

use crate::bounded::Bounded;
use crate::digest::{Digest, Digester};
use crate::moment::Moment;
use session::{Refusal, Session, Signatures, Unaided, Verifier};
use std::collections::BTreeSet;
use std::time::Duration;

/// The signature of a token never changes its mind; its times are checked on every use.
pub struct Sessions {
    digester: Digester,
    signatures: Box<dyn Signatures>,
    authenticated: Bounded<Known>,
    forged: Bounded<Forged>,
}

/// A session, and the digest of its very token.
pub struct Verified {
    pub session: Session,
    pub token: Digest,
}

struct Known {
    session: Session,
    /// Since the last report.
    seen: bool,
}

struct Forged {
    refusal: Refusal,
    /// By the steady clock.
    until: Duration,
}

const CAPACITY: usize = 65_536;
const FORGED_CAPACITY: usize = 1024;
/// Long enough for a flood, short enough that a key added meanwhile is soon believed.
const FORGED_FOR: Duration = Duration::from_secs(10);

// === impl Sessions ===

impl Sessions {
    pub fn new(digester: Digester) -> Self {
        Self {
            digester,
            signatures: Box::new(Unaided),
            authenticated: Bounded::new(CAPACITY),
            forged: Bounded::new(FORGED_CAPACITY),
        }
    }

    /// Who may help with signatures from now on.
    pub fn aided_by(&mut self, signatures: Box<dyn Signatures>) {
        self.signatures = signatures;
    }

    pub fn verify(
        &mut self,
        verifier: &Verifier,
        token: &[u8],
        now: Moment,
    ) -> Result<Verified, Refusal> {
        if token.len() > session::TOKEN_BYTES {
            return Err(Refusal::TooLarge);
        }
        let key = self.digester.digest(&[token]);
        if let Some(Known { session, seen }) = self.authenticated.get_mut(&key) {
            verifier.check_time(session, now.unix())?;
            *seen = true;
            return Ok(Verified { session: session.clone(), token: key });
        }
        if let Some(forged) = self.forged.get(&key).filter(|forged| now.steady < forged.until) {
            return Err(forged.refusal);
        }
        match verifier.authenticate_with(token, &*self.signatures) {
            Ok(session) => {
                let timely = verifier.check_time(&session, now.unix());
                let known = Known { session: session.clone(), seen: timely.is_ok() };
                self.authenticated.insert(key, known);
                timely?;
                Ok(Verified { session, token: key })
            }
            Err(refusal) => {
                // Everything else is found out before the signature is looked at, and cheap.
                if matches!(
                    refusal,
                    Refusal::Signature | Refusal::Claims(_) | Refusal::Issuer | Refusal::Audience
                ) {
                    let until = now.steady.saturating_add(FORGED_FOR);
                    self.forged.insert(key, Forged { refusal, until });
                }
                Err(refusal)
            }
        }
    }

    /// Forgets sessions that have ended, `leeway` seconds ago by the wall clock, but for those that are
    /// to be reported first.
    pub fn forget_ended(&mut self, leeway: u64, reports: bool, now: Moment) {
        let is_over = |session: &Session| session.expires_at().saturating_add(leeway) <= now.unix();
        self.authenticated.retain(|known| (reports && known.seen) || !is_over(&known.session));
    }

    /// The keys are others: everybody is verified anew.
    pub fn forget(&mut self) {
        self.authenticated = Bounded::new(CAPACITY);
        self.forged = Bounded::new(FORGED_CAPACITY);
    }

    /// The sessions that were seen since this was last asked, each once.
    pub fn take_seen(&mut self) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        for known in self.authenticated.values_mut() {
            if std::mem::take(&mut known.seen) {
                seen.insert(known.session.id().to_owned());
            }
        }
        seen
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.authenticated.len()
    }
}
