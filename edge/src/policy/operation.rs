//! Operations: what a single-use lease is for, and good for once.

use crate::headers::Headers;
use crate::policy::denial::Denial;
use crate::rng::Rng;
use lease::is_idempotency_key;

/// How the edge distinguishes a destination's operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleUse {
    /// The header in which a guest names its operation, lower-case.
    pub key_header: Box<str>,
    /// Where the body is part of the operation: the longest one that is taken, in bytes.
    pub body: Option<usize>,
}

/// The parts that identify an operation, besides method, authority and path.
pub struct Operation {
    pub idempotency_key: String,
    /// SHA-256 in lower-case hex.
    pub body_digest: Option<String>,
}

// === impl SingleUse ===

impl SingleUse {
    /// The name that the guest gives its operation. One without a name gets one that no other has, so
    /// it is never a repetition.
    ///
    /// # Errors
    /// [`Denial::IdempotencyKey`] where the header occurs twice, or does not hold a valid name.
    pub fn key(&self, headers: &Headers, rng: &mut Rng) -> Result<String, Denial> {
        if !headers.has(&self.key_header) {
            return Ok(rng.name());
        }
        let sent = headers.single(&self.key_header).and_then(|key| std::str::from_utf8(key).ok());
        let sent = sent.filter(|key| is_idempotency_key(key));
        sent.map(str::to_owned).ok_or(Denial::IdempotencyKey)
    }
}
