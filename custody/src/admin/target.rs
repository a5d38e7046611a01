//! What can be revoked, as operators spell it.

use crate::api::refusal::Refusal;
use crate::ledger::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By `sid`, or `jti` where the session has none.
    Session,
    /// By `lease_id`.
    Lease,
    Handle,
    /// Everything that belongs to this owner of credentials.
    Actor,
}

/// A session's id is a claim of at most 256 bytes, or a `jti` of whatever length a token has.
const MAX_SESSION: usize = 8192;
const MAX_LEASE: usize = 128;

// === impl Kind ===

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Lease => "lease",
            Self::Handle => "handle",
            Self::Actor => "actor",
        }
    }

    /// # Errors
    /// The id cannot be one of this kind.
    pub fn target(self, id: String) -> Result<Target, Refusal> {
        let fault = |text: &dyn fmt::Display| Refusal::bad_request(format!("id: {text}"));
        match self {
            Self::Session if (1..=MAX_SESSION).contains(&id.len()) => Ok(Target::Session(id)),
            Self::Session => Err(fault(&format!("a session's id is 1 to {MAX_SESSION} bytes"))),
            Self::Lease if is_lease_id(&id) => Ok(Target::Lease(id)),
            Self::Lease => {
                Err(fault(&format!("a lease's id is 1 to {MAX_LEASE} of A-Z a-z 0-9 . _ -")))
            }
            Self::Handle => id.parse().map(Target::Handle).map_err(|error| fault(&error)),
            Self::Actor => id.parse().map(Target::Actor).map_err(|error| fault(&error)),
        }
    }
}

fn is_lease_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=MAX_LEASE).contains(&id.len()) && id.bytes().all(plain)
}

/// Kind and id of a target.
pub fn spelled(target: &Target) -> (Kind, &str) {
    match target {
        Target::Session(id) => (Kind::Session, id),
        Target::Lease(id) => (Kind::Lease, id),
        Target::Handle(handle) => (Kind::Handle, handle.as_str()),
        Target::Actor(actor) => (Kind::Actor, actor.as_str()),
    }
}
