//! Whose credential it is.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The owner of credentials: 1 to 128 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit.
///
/// Every actor has an encryption key of its own, so one actor's envelope cannot be opened as
/// another's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Actor(lease::Handle);

/// The text is no [`Actor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an actor is 1 to 128 of A-Z a-z 0-9 . _ -, beginning with a letter or digit")]
pub struct ActorError;

// === impl Actor ===

impl Actor {
    /// The actor of credentials that nobody else was named for.
    pub const DEFAULT: &str = "default";

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        // Same alphabet as a handle, and for the same reason: it goes into logs and key derivation.
        text.parse().map(Self).map_err(|_| ActorError)
    }
}

impl TryFrom<String> for Actor {
    type Error = ActorError;

    fn try_from(text: String) -> Result<Self, ActorError> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.0.into()
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
