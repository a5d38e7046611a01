//! Who may lease what. Nothing is granted that no grant names.

mod destination;

use crate::actor::Actor;
pub use destination::DestinationPattern;
use lease::{Binding, Handle, LeaseRequest};
use session::{ClaimConditions, Session};

/// Sessions with these claims may lease this handle for these destinations.
#[derive(Clone, Debug)]
pub struct Grant {
    pub handle: Handle,
    /// Whose credential it is.
    pub actor: Actor,
    pub destinations: Vec<DestinationPattern>,
    pub claims: ClaimConditions,
    /// Every method, if `None`.
    pub methods: Option<Vec<String>>,
    /// How long a lease lives, in seconds; at most [`lease::LEASE_CEILING`].
    pub ttl: u64,
}

/// All grants, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Grants(Vec<Grant>);

/// How far a request that is not granted came. For the audit log: the edge is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// A binding that custody does not offer yet.
    Binding,
    /// No grant names the handle.
    Handle,
    /// None of those is for this destination.
    Destination,
    /// None of those allows this method.
    Method,
    /// The session does not have the claims.
    Claims,
}

// === impl Grants ===

impl Grants {
    pub fn new(grants: Vec<Grant>) -> Self {
        Self(grants)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// The first grant that covers the request.
    ///
    /// # Errors
    /// What the grant that came closest lacked.
    pub fn covering(&self, session: &Session, asked: &LeaseRequest) -> Result<&Grant, Gap> {
        let mut closest = Gap::Handle;
        if asked.binding != Binding::Session {
            return Err(Gap::Binding);
        }
        for grant in &self.0 {
            match grant.covers(session, asked) {
                Ok(()) => return Ok(grant),
                Err(gap) => closest = closest.max(gap),
            }
        }
        Err(closest)
    }
}

// === impl Grant ===

impl Grant {
    fn covers(&self, session: &Session, asked: &LeaseRequest) -> Result<(), Gap> {
        // Named one by one, so that a field that is added cannot be forgotten here.
        let Self { handle, actor: _, destinations, claims, methods, ttl: _ } = self;
        if *handle != asked.handle {
            return Err(Gap::Handle);
        }
        if !destinations.iter().any(|pattern| pattern.matches(&asked.destination)) {
            return Err(Gap::Destination);
        }
        // Methods are case-sensitive (RFC 9110 section 9.1).
        if methods.as_ref().is_some_and(|methods| !methods.contains(&asked.method)) {
            return Err(Gap::Method);
        }
        // A grant without conditions does not pass the configuration; here it still grants nothing.
        if claims.is_empty() || !claims.met_by(session) {
            return Err(Gap::Claims);
        }
        Ok(())
    }
}

// === impl Gap ===

impl Gap {
    pub fn code(self) -> &'static str {
        match self {
            Self::Binding => "binding",
            Self::Handle => "handle",
            Self::Destination => "destination",
            Self::Method => "method",
            Self::Claims => "claims",
        }
    }
}

#[cfg(test)]
mod tests;
