//! Requests that get their lease once an attempt, so that a second attempt can have another one.
//!
//! Envoy runs the filter twice then: in front of the router, where the request is judged, and behind it,
//! once an attempt, where the lease is written in. From the one place to the other goes the ticket of an
//! entry here, and nothing else. Without such a ticket nothing is written into anything, nor into a request
//! that is not the one the ticket was made for.

use crate::ids::Ticket;
use crate::policy::permit::Permit;
use crate::state::lease_usage::LeaseUsage;
use crate::state::leases::LeaseKey;
use lease::Secret;
use std::collections::BTreeMap;

/// Every request that was judged and is not over.
#[derive(Default)]
pub struct Attempts {
    open: BTreeMap<Ticket, Permitted>,
}

/// The decision about a request, for each of its attempts.
pub struct Permitted {
    pub permit: Permit,
    pub key: LeaseKey,
    /// The Session JWT, for custody.
    pub token: Secret,
    /// The lease of the attempt before, and the names of its headers.
    pub before: Option<Taken>,
}

pub struct Taken {
    pub usage: LeaseUsage,
    pub names: Vec<String>,
}

// === impl Attempts ===

impl Attempts {
    pub fn open(&mut self, ticket: Ticket, permit: Permit, key: LeaseKey, token: Secret) {
        self.open.insert(ticket, Permitted { permit, key, token, before: None });
    }

    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Permitted> {
        self.open.get_mut(&ticket)
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The request is over.
    pub fn close(&mut self, ticket: Ticket) -> Option<LeaseUsage> {
        Some(self.open.remove(&ticket)?.before?.usage)
    }
}
