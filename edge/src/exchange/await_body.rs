//! The phase between: permitted, and the body is part of what custody will be asked.

use super::await_lease::{AwaitLease, Pending};
use super::denied::Denied;
use crate::clock::Now;
use crate::headers::Headers;
use crate::policy::denial::Denial;
use crate::policy::edits::Edits;
use crate::policy::operation::Operation;
use crate::policy::permit::Permit;
use crate::trust_edge::TrustEdge;
use lease::{BodyDigest, Secret};
use std::time::Duration;

/// A held request whose body is read. The bytes stay with the host; a digest is all that is kept.
pub struct AwaitBody {
    gathering: Box<Gathering>,
    headers: Headers,
    /// Its denial, unless the body ends well.
    refused: Denied,
    /// By the steady clock.
    deadline: Duration,
}

/// A permitted request whose operation is not whole yet.
pub(super) struct Gathering {
    pub permit: Permit,
    pub edits: Edits,
    /// The Session JWT.
    pub token: Secret,
    pub idempotency_key: String,
    pub digest: BodyDigest,
    /// The longest body, in bytes.
    pub limit: usize,
}

/// From the head of a request to the end of its body.
const BODY_TIME: Duration = Duration::from_secs(30);

// === impl AwaitBody ===

impl AwaitBody {
    pub(super) fn new(
        gathering: Box<Gathering>,
        headers: Headers,
        refused: Denied,
        now: Now,
    ) -> Self {
        let deadline = now.steady.saturating_add(BODY_TIME);
        Self { gathering, headers, refused, deadline }
    }

    /// Bytes of the body that were read.
    pub fn length(&self) -> usize {
        self.gathering.digest.length()
    }

    /// May a body be so long, in bytes?
    pub fn takes(&self, length: usize) -> bool {
        length <= self.gathering.limit
    }

    /// The next bytes.
    pub fn read(&mut self, bytes: &[u8]) {
        self.gathering.digest.update(bytes);
    }

    /// When it is too late for the rest of the body, by the steady clock.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The body has ended; custody is asked.
    pub(super) fn ask(self, edge: &mut TrustEdge, now: Now) -> Result<AwaitLease, Denied> {
        if !self.takes(self.length()) {
            return Err(self.abandon(Denial::BodyTooLarge));
        }
        let Self { gathering, headers, refused, .. } = self;
        let Gathering { permit, edits, token, idempotency_key, digest, .. } = *gathering;
        let operation = Operation { idempotency_key, body_digest: Some(digest.finish()) };
        let fetch =
            edge.stands(&permit, now).and_then(|()| edge.reserve(&permit, token, operation));
        match fetch {
            Ok(fetch) => {
                let pending = Box::new(Pending { fetch, edits, permit });
                Ok(AwaitLease::new(pending, headers, refused))
            }
            Err(denial) => Err(refused.because(denial)),
        }
    }

    /// Gives up: the body is too long, too late, or not to be had.
    pub fn abandon(self, denial: Denial) -> Denied {
        self.refused.because(denial)
    }
}
