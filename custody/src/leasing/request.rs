//! One admitted request, with what the audit log shall know of it.

use super::failure::Failure;
use super::life::Life;
use super::reason::RefusalReason;
use crate::grants::{Grant, Grants};
use custody_audit::entry::{IssuedLease, RequestedLease, SessionId};
use custody_audit::{Entry, Event, Outcome};
use custody_base::actor::Actor;
use custody_base::snapshot::Snapshot;
use custody_ledger::{AccessState, Row};
use lease::{Binding, LeaseRequest, UnixSeconds};
use session::Session;
use std::sync::Arc;
use tokio::time::Instant;

/// A request of a session that was verified.
pub(super) struct AuthenticatedRequest {
    pub request: LeaseRequest,
    pub session: Arc<Session>,
    pub request_id: Option<String>,
    pub now: UnixSeconds,
}

/// An authenticated request that a grant covers.
pub(super) struct AdmittedRequest {
    pub authenticated: AuthenticatedRequest,
    /// All grants, as they were when it was decided, and the one that covers it.
    pub grants: Arc<Grants>,
    pub grant: Arc<Grant>,
    /// Whose credential it is.
    pub actor: Actor,
    pub lease_id: String,
    pub life: Life,
    pub read: Read,
}

/// What the ledger had when nothing forbade the lease.
pub(super) struct Read {
    /// [`AccessState::sequence`](custody_ledger::AccessState::sequence)
    pub as_of: i64,
    /// Of the sealed store.
    pub sealed: Snapshot<Option<Row>>,
}

// === impl AuthenticatedRequest ===

impl AuthenticatedRequest {
    pub fn entry(&self, event: Event, outcome: Outcome) -> Entry {
        let mut entry = Entry::new(event, outcome);
        entry.session = Some(session_id_of(&self.session));
        entry.requested = Some(RequestedLease::of(&self.request));
        entry.request_id.clone_from(&self.request_id);
        entry
    }

    pub fn denied(&self, reason: RefusalReason) -> Entry {
        let mut entry = self.entry(Event::Lease, Outcome::Deny);
        (entry.code, entry.reason) = (Some(reason.answer().code()), Some(reason.code()));
        entry
    }
}

// === impl AdmittedRequest ===

impl AdmittedRequest {
    pub fn allowed(&self) -> Entry {
        let mut entry = self.authenticated.entry(Event::Lease, Outcome::Allow);
        entry.issued = Some(self.issued());
        entry
    }

    pub fn failed(&self, failure: &Failure) -> Entry {
        let mut entry = self.authenticated.entry(Event::LeaseFailed, Outcome::Deny);
        let reason = failure.reason();
        (entry.code, entry.reason) = (Some(reason.answer().code()), Some(reason.code()));
        entry.issued = Some(self.issued());
        entry
    }

    pub fn is_single_use(&self) -> bool {
        self.authenticated.request.binding == Binding::SingleUse
    }

    fn issued(&self) -> IssuedLease {
        IssuedLease {
            lease_id: self.lease_id.clone(),
            actor: self.actor.to_string(),
            expires_at: self.life.expires_at,
            purpose: self.grant.purpose.clone(),
        }
    }
}

// === impl Read ===

impl Read {
    /// `at`: before it was asked for.
    pub fn of(access_state: AccessState, at: Instant) -> Self {
        Self { as_of: access_state.sequence, sealed: Snapshot::new(access_state.sealed, at) }
    }
}

fn session_id_of(session: &Session) -> SessionId {
    SessionId {
        issuer: session.issuer().to_owned(),
        subject: session.subject().map(str::to_owned),
        jwt_id: session.jwt_id().map(str::to_owned),
        session_id: session.id().to_owned(),
    }
}
