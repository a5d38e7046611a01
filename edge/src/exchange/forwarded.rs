//! The request goes on.

use crate::headers::Headers;
use crate::ids::Ticket;
use crate::policy::denial::Denial;
use crate::policy::edits::Edits;
use crate::policy::permit::{Permit, TunnelPermit};
use crate::state::inflight::IssuedLease;
use crate::state::lease_usage::LeaseUsage;

/// A request that may go on, once its edits are made.
pub struct Forwarded {
    permit_kind: PermitKind,
    edits: Edits,
    usage: Option<LeaseUsage>,
    ticket: Option<Ticket>,
}

/// What the safety net behind the filter has to know: what the filter has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitKind {
    /// A CONNECT may open its tunnel.
    Connect,
    /// A request may go to its upstream.
    Request,
    /// A CONNECT may open a tunnel in which every request is denied.
    Refusal,
}

// === impl Forwarded ===

impl Forwarded {
    pub(super) fn connect(_: TunnelPermit, edits: Edits) -> Self {
        Self { permit_kind: PermitKind::Connect, edits, usage: None, ticket: None }
    }

    /// # Errors
    /// [`Denial::Internal`] where the permit asks for a credential: that one needs a lease.
    pub(super) fn bare(permit: &Permit, stripped: Edits) -> Result<Self, Denial> {
        match permit.credential() {
            None => Ok(Self {
                permit_kind: PermitKind::Request,
                edits: stripped,
                usage: None,
                ticket: None,
            }),
            Some(_) => Err(Denial::Internal),
        }
    }

    /// Goes on without its credential, which each attempt gets for itself.
    pub(super) fn ticketed(_: &Permit, stripped: Edits, ticket: Ticket) -> Self {
        let permit_kind = PermitKind::Request;
        Self { permit_kind, edits: stripped, usage: None, ticket: Some(ticket) }
    }

    pub(crate) fn with_lease(
        _: &Permit,
        stripped: Edits,
        sent: &Headers,
        issued: &IssuedLease,
    ) -> Self {
        let IssuedLease { lease, usage } = issued;
        let edits = stripped.inject(sent, lease);
        Self { permit_kind: PermitKind::Request, edits, usage: Some(usage.clone()), ticket: None }
    }

    pub fn permit_kind(&self) -> PermitKind {
        self.permit_kind
    }

    pub fn edits(&self) -> &Edits {
        &self.edits
    }

    /// By what each attempt gets its lease.
    pub fn ticket(&self) -> Option<Ticket> {
        self.ticket
    }

    /// The lease that goes along; how its request ends is [told](crate::TrustEdge::ended).
    pub fn usage(&self) -> Option<&LeaseUsage> {
        self.usage.as_ref()
    }
}

// === impl PermitKind ===

impl PermitKind {
    /// The value of filter state `wasm.leasehold.permit` that Envoy's RBAC filter demands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Request => "request",
            Self::Refusal => "refusal",
        }
    }
}
