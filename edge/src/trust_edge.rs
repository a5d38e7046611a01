//! The edge of one plugin configuration in one VM: the policy, and what it remembers.

use crate::leases::Leases;
use crate::policy::Policy;
use crate::sessions::Sessions;

/// A policy with its verified sessions and live leases.
///
/// Everything remembered was decided under this policy: a new configuration is a new edge, and
/// starts with nothing.
pub struct TrustEdge {
    pub(crate) policy: Policy,
    pub(crate) sessions: Sessions,
    pub(crate) leases: Leases,
}

// === impl TrustEdge ===

impl TrustEdge {
    pub fn new(policy: Policy) -> Self {
        Self { policy, sessions: Sessions::new(), leases: Leases::new() }
    }
}
