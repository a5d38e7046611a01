//! Whose credential a grant gives.

use custody_base::actor::Actor;
use serde_json::Value;
use std::fmt;

/// The owner of the credential that a grant gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantActor {
    Named(Actor),
    /// The session's claim of this name is the actor: each person has a credential of their own.
    Claim(String),
}

// === impl GrantActor ===

impl GrantActor {
    /// The actor of a session with these claims; `None` if the claim is absent, or is not the name of an
    /// actor.
    pub fn resolve<'a>(&self, claim: impl FnOnce(&str) -> Option<&'a Value>) -> Option<Actor> {
        match self {
            Self::Named(actor) => Some(actor.clone()),
            Self::Claim(name) => claim(name)?.as_str()?.parse().ok(),
        }
    }

    /// `None` if a claim names the actor.
    pub fn named(&self) -> Option<&Actor> {
        match self {
            Self::Named(actor) => Some(actor),
            Self::Claim(_) => None,
        }
    }
}

impl fmt::Display for GrantActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(actor) => actor.fmt(f),
            Self::Claim(name) => write!(f, "the claim {name}"),
        }
    }
}
