//! The targets of a revocation, as operators spell them.

use crate::api::refusal::Refusal;
use crate::keys::Issuers;
use custody_ledger::Target;
use lease::{LEASE_ID_LENGTH, SESSION_ID_LENGTH, is_lease_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By its name: its issuer, `#`, and its `sid` or `jti`, or the claims of the issuer's `id`. While
    /// custody has one issuer, that may be left out.
    Session,
    /// By `lease_id`.
    Lease,
    Handle,
    /// Everything that belongs to this owner of credentials.
    Actor,
}

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
    pub fn target(self, id: String, issuers: &Issuers) -> Result<Target, Refusal> {
        self.target_in("id", id, issuers)
    }

    /// [`Self::target`], of a field of this name.
    ///
    /// # Errors
    /// The text cannot be an id of this kind.
    pub fn target_in(self, field: &str, id: String, issuers: &Issuers) -> Result<Target, Refusal> {
        let fault = |text: &dyn fmt::Display| Refusal::bad_request(format!("{field}: {text}"));
        match self {
            Self::Session if (1..=SESSION_ID_LENGTH).contains(&id.len()) => {
                issuers.complete(id).map(Target::Session).map_err(|error| fault(&error))
            }
            Self::Session => {
                Err(fault(&format!("a session's id is 1 to {SESSION_ID_LENGTH} bytes")))
            }
            Self::Lease if is_lease_id(&id) => Ok(Target::Lease(id)),
            Self::Lease => {
                Err(fault(&format!("a lease's id is 1 to {LEASE_ID_LENGTH} of A-Z a-z 0-9 . _ -")))
            }
            Self::Handle => id.parse().map(Target::Handle).map_err(|error| fault(&error)),
            Self::Actor => id.parse().map(Target::Actor).map_err(|error| fault(&error)),
        }
    }
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
