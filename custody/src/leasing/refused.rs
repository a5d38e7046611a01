//! A request that custody says no to.

use lease::RefusalCode;
use std::time::Duration;

/// No lease, and what the edge is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: RefusalCode,
    /// When it may be worth asking again.
    pub retry_after: Option<Duration>,
}

// === impl Refused ===

impl Refused {
    /// For `Retry-After` (RFC 9110 section 10.2.3): whole seconds, rounded up.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|after| after.as_secs() + u64::from(after.subsec_nanos() > 0))
    }
}

impl From<RefusalCode> for Refused {
    fn from(code: RefusalCode) -> Self {
        Self { code, retry_after: None }
    }
}
