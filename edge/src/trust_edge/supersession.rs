//! The facts about an edge that the host needs to have a newer policy judge in its place.

use crate::clock::Now;
use crate::policy::PolicyVersion;
use crate::trust_edge::TrustEdge;

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

    /// Reports the sessions in use now instead of at the usual time.
    pub fn report_now(&mut self, now: Now) {
        if let Some(report) = &mut self.report {
            report.hurry(now);
        }
    }

    /// Are there sessions in use that custody has not confirmed?
    pub fn has_unreported(&self) -> bool {
        self.report.as_ref().is_some_and(|report| report.is_owed(&self.sessions))
    }

    /// The same policy, with nothing remembered: as if it were configured now.
    #[must_use]
    pub fn renewed(self, seed: [u8; 32], now: Now) -> Self {
        Self::new(self.policy, seed, now)
    }
}
