//! The proof that the policy allows a request.

use crate::policy::destination::{Credential, Destination};
use crate::policy::head::Head;
use crate::policy::operation::Operation;
use lease::{Authority, Binding, LeaseRequest, Secret, fingerprint};
use session::Session;
use std::rc::Rc;

/// Proof that the allow-list lets this session make this request.
///
/// There is no public constructor: only the allow-list makes one, and nothing is forwarded and no
/// lease asked for without it.
#[derive(Clone, Debug)]
pub struct Permit {
    destination: Rc<Destination>,
    head: Head,
    session: Session,
}

/// Proof that the allow-list lets this session open a tunnel. A request in the tunnel needs a
/// [`Permit`] of its own.
#[derive(Debug)]
pub struct TunnelPermit(());

// === impl Permit ===

impl Permit {
    pub(crate) fn new(destination: &Rc<Destination>, session: &Session, head: Head) -> Self {
        Self { destination: Rc::clone(destination), head, session: session.clone() }
    }

    /// The name of the allow-list entry.
    pub fn destination(&self) -> &str {
        &self.destination.name
    }

    /// The credential to lease; `None` where the destination has none.
    pub fn credential(&self) -> Option<&Credential> {
        self.destination.credential.as_ref()
    }

    /// The permitted request.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub fn authority(&self) -> &Authority {
        &self.head.authority
    }

    pub fn method(&self) -> &str {
        &self.head.method
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The request for the lease that this permit is good for; `None` where there is nothing to
    /// lease. `token` is the Session JWT, for custody to verify for itself.
    pub fn lease_request(&self, token: Secret) -> Option<LeaseRequest> {
        Some(LeaseRequest {
            session: token,
            handle: self.credential()?.handle.clone(),
            destination: self.authority().clone(),
            method: self.method().to_owned(),
            path: self.head.target.path.as_str().to_owned(),
            fingerprint: None,
            idempotency_key: None,
            body_digest: None,
            binding: Binding::Session,
        })
    }

    /// The same for a lease that is good for one operation.
    pub fn reservation(&self, token: Secret, operation: Operation) -> Option<LeaseRequest> {
        let Operation { idempotency_key, body_digest } = operation;
        let (key, body) = (Some(idempotency_key), body_digest);
        let path = self.head.target.path.as_str();
        let fingerprint =
            fingerprint(self.method(), self.authority(), path, key.as_deref(), body.as_deref());
        Some(LeaseRequest {
            fingerprint: Some(fingerprint),
            idempotency_key: key,
            body_digest: body,
            binding: Binding::SingleUse,
            ..self.lease_request(token)?
        })
    }
}

// === impl TunnelPermit ===

impl TunnelPermit {
    pub(crate) fn new() -> Self {
        Self(())
    }
}
