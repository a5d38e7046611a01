//! The first phase: nothing is known yet.

use super::denied::is_connect;
use super::forwarded::Forwarded;
use super::{AwaitLease, Callout, Denied, Request, Verdict};
use crate::config::Posture;
use crate::denial::Denial;
use crate::edits::Edits;
use crate::leases::LeaseKey;
use crate::permit::Permit;
use crate::request::{Head, sent_authority};
use crate::{TrustEdge, UnixSeconds, session_token};
use lease::{HTTPS_PORT, Secret};

/// A stream whose request headers have not been seen.
#[derive(Default)]
pub struct AwaitRequest(());

// === impl AwaitRequest ===

impl AwaitRequest {
    /// Decides about a request: session first, then where it goes, then the allow-list, then the
    /// lease. `now` in seconds.
    pub fn admit(self, edge: &mut TrustEdge, request: Request, now: UnixSeconds) -> Verdict {
        let decided = if is_connect(&request) {
            admit_connect(edge, &request, now)
        } else {
            admit_request(edge, &request, now)
        };
        match decided {
            Ok(Admitted::Forward(forwarded)) => Verdict::Forward(forwarded),
            Ok(Admitted::Ask(pending, callout)) => {
                let refused = Denied::new(Denial::Internal, &request);
                Verdict::Ask(AwaitLease::new(pending, request.headers, refused), callout)
            }
            Err(denial) => Verdict::Deny(Denied::new(denial, &request)),
        }
    }
}

enum Admitted {
    Forward(Forwarded),
    Ask(Box<Pending>, Callout),
}

/// A permitted request that lacks its lease.
pub(super) struct Pending {
    pub key: LeaseKey,
    pub edits: Edits,
    /// What the lease is asked for; nobody else can make one.
    pub permit: Permit,
}

/// A CONNECT opens the tunnel or not; what goes through it is judged again, request by request.
fn admit_connect(
    edge: &mut TrustEdge,
    request: &Request,
    now: UnixSeconds,
) -> Result<Admitted, Denial> {
    if edge.policy.posture != Posture::Explicit || request.tunnel.is_some() {
        return Err(Denial::NestedConnect);
    }
    let token = session_token::find(&edge.policy.carriers, request)?;
    let session = edge.sessions.verify(&edge.policy.verifier, token.expose(), now)?;
    let authority = sent_authority(request, HTTPS_PORT)?;
    let permit = edge.policy.allow_list.permit_tunnel(&session, &authority)?;
    Ok(Admitted::Forward(Forwarded::connect(permit)))
}

fn admit_request(
    edge: &mut TrustEdge,
    request: &Request,
    now: UnixSeconds,
) -> Result<Admitted, Denial> {
    if edge.policy.posture == Posture::Explicit && request.tunnel.is_none() {
        return Err(Denial::ConnectRequired);
    }
    let token = session_token::find(&edge.policy.carriers, request)?;
    let session = edge.sessions.verify(&edge.policy.verifier, token.expose(), now)?;
    let head = Head::read(&edge.policy, request)?;
    let policy = &edge.policy;
    let permit = policy.allow_list.permit(&session, &head)?;
    let key = LeaseKey::of(&permit, &token);
    let edits = Edits::strip(&request.headers, &head, &policy.carriers, key.is_some());
    let Some(key) = key else {
        return Ok(Admitted::Forward(Forwarded::bare(&permit, edits)?));
    };
    if let Some(lease) = edge.leases.get(key, now) {
        let forwarded = Forwarded::with_lease(&permit, edits, &request.headers, &lease);
        return Ok(Admitted::Forward(forwarded));
    }
    let callout = callout(edge, &permit, token)?;
    Ok(Admitted::Ask(Box::new(Pending { key, edits, permit }), callout))
}

fn callout(edge: &TrustEdge, permit: &Permit, token: Secret) -> Result<Callout, Denial> {
    let custody = edge.policy.custody.as_ref().ok_or(Denial::NotConfigured)?;
    let request = permit.lease_request(token).ok_or(Denial::Internal)?;
    Ok(Callout {
        cluster: custody.cluster.clone(),
        authority: custody.authority.clone(),
        timeout: custody.timeout.get(),
        body: request.encode().map_err(|_| Denial::Internal)?,
    })
}
