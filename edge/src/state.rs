//! The memory of an edge, and its callouts under way.

pub(crate) mod attempts;
pub mod callout;
pub mod denial_log_limiter;
pub mod inflight;
pub(crate) mod keys;
pub(crate) mod lease_answer;
pub mod lease_usage;
pub(crate) mod leases;
pub mod log_event;
pub(crate) mod sessions;
pub(crate) mod sync;
