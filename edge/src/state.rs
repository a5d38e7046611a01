//! What an edge remembers and has under way.

pub(crate) mod attempts;
pub mod callout;
pub mod denial_log_limiter;
pub mod flights;
pub(crate) mod keys;
pub(crate) mod lease_answer;
pub(crate) mod leases;
pub mod lent;
pub mod notice;
pub(crate) mod sessions;
pub(crate) mod sync;
