//! The request goes on.

use crate::headers::Headers;
use crate::ids::Ticket;
use crate::policy::denial::Denial;
use crate::policy::edits::Edits;
use crate::policy::links::GatewayLinks;
use crate::policy::permit::{Permit, TunnelPermit};
use crate::state::inflight::IssuedLease;
use crate::state::lease_usage::LeaseUsage;
use std::rc::Rc;

/// A request that may go on, once its edits are made.
pub struct Forwarded {
    permit_kind: PermitKind,
    edits: Edits,
    usage: Option<LeaseUsage>,
    ticket: Option<Ticket>,
    links: Option<Rc<GatewayLinks>>,
}

/// The filter's decision, for the safety net behind the filter.
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
        let permit_kind = PermitKind::Connect;
        Self { permit_kind, edits, usage: None, ticket: None, links: None }
    }

    /// # Errors
    /// [`Denial::Internal`] where the permit asks for a credential: that one needs a lease.
    pub(super) fn bare(permit: &Permit, stripped: Edits) -> Result<Self, Denial> {
        match permit.credential() {
            None => Ok(Self::request(permit, stripped)),
            Some(_) => Err(Denial::Internal),
        }
    }

    /// Goes on without its credential, which each attempt gets for itself.
    pub(super) fn ticketed(permit: &Permit, stripped: Edits, ticket: Ticket) -> Self {
        Self { ticket: Some(ticket), ..Self::request(permit, stripped) }
    }

    pub(crate) fn with_lease(
        permit: &Permit,
        stripped: Edits,
        sent: &Headers,
        issued: &IssuedLease,
    ) -> Self {
        let IssuedLease { lease, usage } = issued;
        let edits = stripped.inject(sent, lease);
        Self { usage: Some(usage.clone()), ..Self::request(permit, edits) }
    }

    fn request(permit: &Permit, edits: Edits) -> Self {
        let (permit_kind, links) = (PermitKind::Request, permit.head().links.clone());
        Self { permit_kind, edits, usage: None, ticket: None, links }
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

    /// The lease that goes along; how its request ends is [reported](crate::TrustEdge::ended).
    pub fn usage(&self) -> Option<&LeaseUsage> {
        self.usage.as_ref()
    }

    /// How the links of the response become links to the gateway, where they do.
    pub fn links(&self) -> Option<&Rc<GatewayLinks>> {
        self.links.as_ref()
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
