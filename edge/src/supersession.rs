//! What the host has to know of an edge to have a newer policy judge in its place.

use crate::TrustEdge;
use crate::config::PolicyVersion;
use crate::moment::Moment;

// === impl TrustEdge ===

impl TrustEdge {
    /// By what a newer configuration of the same policy is known.
    pub fn version(&self) -> Option<&PolicyVersion> {
        self.policy.version.as_ref()
    }

    /// May requests that it has judged need another lease?
    pub fn has_open_attempts(&self) -> bool {
        !self.attempts.is_empty()
    }

    /// The same policy, with nothing remembered: as if it were configured now.
    #[must_use]
    pub fn renewed(self, seed: [u8; 32], now: Moment) -> Self {
        Self::new(self.policy, seed, now)
    }
}
