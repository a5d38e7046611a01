//! Who may lease what. Nothing is granted that no grant names.

mod actor;
mod destination;
mod file;
mod live;

pub use actor::GrantActor;
use custody_backends::Restriction;
use custody_base::actor::Actor;
pub use destination::DestinationPattern;
pub use file::{GrantsFile, Load, ReloadFault, Reloaded, WrongGrants};
use lease::{Binding, Handle, LeaseRequest};
pub use live::LiveGrants;
use serde::Deserialize;
use serde_json::{Map, Value};
use session::{ClaimConditions, Session};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Sessions with these claims may lease this handle for these destinations.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    pub handle: Handle,
    /// Whose credential it is.
    pub actor: GrantActor,
    pub destinations: Vec<DestinationPattern>,
    pub claims: ClaimConditions,
    /// Every method, if `None`.
    pub methods: Option<Vec<String>>,
    /// How long a lease lives, in seconds; at most [`lease::LEASE_CEILING`].
    pub ttl: u64,
    pub binding: GrantedBinding,
    /// What it is for, in a word of the operator's; goes into reservations and the audit log.
    pub purpose: Option<String>,
    /// What of the credential's power is given away.
    pub restriction: Restriction,
}

/// What leases of a grant may be bound to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantedBinding {
    #[default]
    Session,
    SingleUse,
    /// Whichever the edge asks for.
    Any,
}

/// All grants, in the order of the file, with a digest of what the file says.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    grants: Vec<Arc<Grant>>,
    digest: String,
}

/// The grant that covers a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Covering {
    pub grant: Arc<Grant>,
    /// Of this session.
    pub actor: Actor,
    /// The place of the grant in the file, from 0.
    pub place: usize,
}

/// How far a request that is not granted came. For the audit log: the edge is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// No grant names the handle.
    Handle,
    /// None of those is for this destination.
    Destination,
    /// None of those allows this method.
    Method,
    /// None of those gives leases of this binding.
    Binding,
    /// The session does not have the claims.
    Claims,
    /// The claim that names the actor is absent, or is not the name of an actor.
    Actor,
}

// === impl Grants ===

impl Grants {
    /// `digest` is of what the grants were read from, so that an operator can tell which are in
    /// force.
    pub fn new(grants: Vec<Grant>, digest: String) -> Self {
        Self { grants: grants.into_iter().map(Arc::new).collect(), digest }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter().map(Arc::as_ref)
    }

    /// SHA-256, lower-case hex; empty if nothing was read.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whose handles are which: what a revoked actor means to an edge. A handle whose actor is in a
    /// claim is nobody's.
    pub fn handles_of_actors(&self) -> BTreeMap<&Actor, BTreeSet<&Handle>> {
        let mut handles: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for grant in self.iter() {
            if let Some(actor) = grant.actor.named() {
                handles.entry(actor).or_default().insert(&grant.handle);
            }
        }
        handles
    }

    /// The first grant that covers the request.
    ///
    /// # Errors
    /// What the grant that came closest lacked.
    pub fn covering(&self, session: &Session, asked: &LeaseRequest) -> Result<Covering, Gap> {
        self.first(|claims| claims.met_by(session), |name| session.claim(name), asked)
    }

    /// What [`Grants::covering`] would say of a session with these claims, for people who try their
    /// grants.
    ///
    /// # Errors
    /// What the grant that came closest lacked.
    pub fn covering_claims(
        &self,
        claims: &Map<String, Value>,
        asked: &LeaseRequest,
    ) -> Result<Covering, Gap> {
        self.first(
            |conditions| conditions.met_by_unverified(claims),
            |name| claims.get(name),
            asked,
        )
    }

    fn first<'a>(
        &self,
        meets: impl Fn(&ClaimConditions) -> bool,
        claim: impl Fn(&str) -> Option<&'a Value>,
        asked: &LeaseRequest,
    ) -> Result<Covering, Gap> {
        let mut closest = Gap::Handle;
        for (place, grant) in self.grants.iter().enumerate() {
            let covers = grant.covers(&meets, asked);
            match covers.and_then(|()| grant.actor.resolve(&claim).ok_or(Gap::Actor)) {
                Ok(actor) => return Ok(Covering { grant: Arc::clone(grant), actor, place }),
                Err(gap) => closest = closest.max(gap),
            }
        }
        Err(closest)
    }
}

// === impl Grant ===

impl Grant {
    fn covers(
        &self,
        meets: impl Fn(&ClaimConditions) -> bool,
        asked: &LeaseRequest,
    ) -> Result<(), Gap> {
        // Named one by one, so that a field that is added cannot be forgotten here. The last four
        // say what is minted, not for whom.
        let Self {
            handle,
            destinations,
            methods,
            binding,
            claims,
            actor: _,
            ttl: _,
            purpose: _,
            restriction: _,
        } = self;
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
        if !binding.gives(asked.binding) {
            return Err(Gap::Binding);
        }
        // A grant without conditions does not pass the configuration; here it still grants nothing.
        if claims.is_empty() || !meets(claims) {
            return Err(Gap::Claims);
        }
        Ok(())
    }
}

// === impl GrantedBinding ===

impl GrantedBinding {
    pub fn gives(self, asked: Binding) -> bool {
        match self {
            Self::Session => asked == Binding::Session,
            Self::SingleUse => asked == Binding::SingleUse,
            Self::Any => true,
        }
    }
}

// === impl Gap ===

impl Gap {
    pub fn code(self) -> &'static str {
        match self {
            Self::Handle => "handle",
            Self::Destination => "destination",
            Self::Method => "method",
            Self::Binding => "binding",
            Self::Claims => "claims",
            Self::Actor => "actor",
        }
    }
}

#[cfg(test)]
mod tests;
