//! Requests that get their lease once an attempt, so that a second attempt can have another one.
//!
//! Envoy runs the filter twice then: in front of the router, where the request is judged, and behind it,
//! once an attempt, where the lease is written in. From the one place to the other goes the ticket of an
//! entry here, and nothing else. Without such a ticket nothing is written into anything, nor into a request
//! that is not the one the ticket was made for.

use crate::TrustEdge;
use crate::chance::Chance;
use crate::denial::Denial;
use crate::edits::Edits;
use crate::exchange::{Denied, Forwarded, Request, Verdict, await_lease};
use crate::leases::LeaseKey;
use crate::lent::{Ending, Lent};
use crate::moment::Moment;
use crate::permit::Permit;
use crate::trust_edge::Lending;
use lease::Secret;
use std::collections::BTreeMap;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// What a permitted request is known by between the two filters: 128 random bits. A ticket of another VM, or of
/// the one that a trapped VM was replaced by, is not in this edge's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u128);

/// Every request that was judged and is not over.
#[derive(Default)]
pub struct Attempts {
    open: BTreeMap<Ticket, Permitted>,
}

/// What was decided about a request, for each of its attempts.
struct Permitted {
    permit: Permit,
    key: LeaseKey,
    /// The Session JWT, for custody.
    token: Secret,
    /// What the attempt before took along: the lease, and the names of its headers.
    before: Option<Taken>,
}

struct Taken {
    lent: Lent,
    names: Vec<String>,
}

// === impl Ticket ===

impl Ticket {
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        Self(u128::from(chance.number()) << 64 | u128::from(chance.number()))
    }
}

impl fmt::Display for Ticket {
    /// 32 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Ticket {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

// === impl Attempts ===

impl Attempts {
    pub(crate) fn open(&mut self, ticket: Ticket, permit: Permit, key: LeaseKey, token: Secret) {
        self.open.insert(ticket, Permitted { permit, key, token, before: None });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The request is over.
    pub(crate) fn close(&mut self, ticket: Ticket) -> Option<Lent> {
        Some(self.open.remove(&ticket)?.before?.lent)
    }
}

// === impl TrustEdge ===

impl TrustEdge {
    /// An attempt begins. If there was one before, its upstream did not take the credential: nothing else
    /// is tried again by the routes that are shipped with this.
    pub fn attempt(&mut self, ticket: Ticket, request: Request, now: Moment) -> Verdict {
        match self.try_attempt(ticket, &request, now) {
            Ok(Attempted::Forward(forwarded)) => Verdict::Forward(forwarded),
            Ok(Attempted::Wait(pending)) => {
                let refused = Denied::new(Denial::Internal, &request);
                Verdict::Wait(await_lease::held(pending, request.headers, refused))
            }
            Err(denial) => Verdict::Deny(Denied::new(denial, &request)),
        }
    }

    /// The attempt goes on, and takes this along.
    pub fn attempted(&mut self, ticket: Ticket, forwarded: &Forwarded) {
        let (Some(permitted), Some(lent)) =
            (self.attempts.open.get_mut(&ticket), forwarded.lent().cloned())
        else {
            return;
        };
        let names = forwarded.edits().injected().map(str::to_owned).collect();
        permitted.before = Some(Taken { lent, names });
    }

    fn try_attempt(
        &mut self,
        ticket: Ticket,
        request: &Request,
        now: Moment,
    ) -> Result<Attempted, Denial> {
        let permitted = self.attempts.open.get_mut(&ticket).ok_or(Denial::NotConfigured)?;
        if !permitted.permit.head().is_of(request) {
            return Err(Denial::Internal);
        }
        let (permit, key) = (permitted.permit.clone(), permitted.key);
        let token = permitted.token.duplicate();
        let mut edits = Edits::default();
        if let Some(Taken { lent, names }) = permitted.before.take() {
            self.ended(&lent, Ending::REFUSAL, now);
            edits = Edits::removing(names);
        }
        self.stands(&permit, now)?;
        Ok(match self.lend(key, &permit, token.expose(), now)? {
            Lending::Now(granted) => Attempted::Forward(Forwarded::with_lease(
                &permit,
                edits,
                &request.headers,
                &granted,
            )),
            Lending::Awaited(flight) => {
                Attempted::Wait(Box::new(await_lease::Pending { flight, edits, permit }))
            }
        })
    }
}

enum Attempted {
    Forward(Forwarded),
    Wait(Box<await_lease::Pending>),
}
