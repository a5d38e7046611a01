//! Sessions whose tokens have been verified, so that each token is verified once a VM.

use crate::UnixSeconds;
use crate::bounded::Bounded;
use session::{Refusal, Session, Verifier};
use sha2::{Digest, Sha256};

/// The signature of a token never changes its mind; its times are checked on every use.
pub struct Sessions {
    verified: Bounded<Session>,
}

const CAPACITY: usize = 4096;

// === impl Sessions ===

impl Sessions {
    pub fn new() -> Self {
        Self { verified: Bounded::new(CAPACITY) }
    }

    pub fn verify(
        &mut self,
        verifier: &Verifier,
        token: &[u8],
        now: UnixSeconds,
    ) -> Result<Session, Refusal> {
        if token.len() > session::TOKEN_BYTES {
            return Err(Refusal::TooLarge);
        }
        let key = Sha256::digest(token).into();
        if let Some(session) = self.verified.get(&key) {
            let checked = verifier.check_time(session, now).map(|()| session.clone());
            if checked.is_err() {
                self.verified.remove(&key);
            }
            return checked;
        }
        let session = verifier.verify(token, now)?;
        self.verified.insert(key, session.clone());
        Ok(session)
    }
}
