//! The contract between the edge and custody.
//!
//! The wire types of the custody contract, version 1 (JSON over mTLS), and the few words both sides
//! must understand alike: a [`Host`], a [`HostPattern`], a [`Handle`], a [`Secret`]. Everything is
//! pure: time comes in as an argument, nothing is read or sent here.
//!
//! Both sides enforce the limits of a lease with the same code ([`Lease::live`]), so that a mistake
//! on one side is caught by the other.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod a_label;
mod answer;
mod authority;
mod body_digest;
mod fingerprint;
mod handle;
mod header;
mod host;
mod outcome;
mod pattern;
mod public_suffix;
mod refusal;
mod request;
mod secret;
mod sync;

pub use answer::{
    LEASE_CEILING, LEASE_DEFAULT, LEASE_ID_LENGTH, Lease, LeaseFault, LiveLease, is_lease_id,
};
pub use authority::{Authority, AuthorityError, HTTPS_PORT};
pub use body_digest::BodyDigest;
pub use fingerprint::fingerprint;
pub use handle::{Handle, HandleError};
pub use header::{HeaderFault, HeaderName, LeaseHeader, is_hop_by_hop};
pub use host::{Host, HostError};
pub use outcome::{FAILURE_CODE_LENGTH, Outcome, OutcomeRefusal, OutcomeReport};
pub use pattern::{HostPattern, PatternError};
pub use refusal::RefusalCode;
pub use request::{
    Binding, IDEMPOTENCY_KEY_LENGTH, LeaseRequest, METHOD_LENGTH, Malformed, PATH_LENGTH,
    is_idempotency_key, is_method,
};
pub use secret::Secret;
pub use sync::{
    CURSOR_LENGTH, SEEN_BODY_LIMIT, SEEN_LIMIT, SESSION_ID_LENGTH, SYNC_WAIT_CEILING, SeenReport,
    SyncAnswer, SyncChange, SyncKind, is_cursor,
};

/// Seconds since the Unix epoch, whole (RFC 7519 `NumericDate`).
pub type UnixSeconds = u64;
