//! The first phase: nothing is known yet.

use super::await_body::{AwaitBody, Gathering};
use super::await_keys::AwaitKeys;
use super::await_lease::{AwaitLease, Pending};
use super::denied::Denied;
use super::forwarded::Forwarded;
use super::verdict::Verdict;
use super::wait::Wait;
use crate::clock::Now;
use crate::ids::{FetchId, Ticket};
use crate::policy::Inject;
use crate::policy::denial::Denial;
use crate::policy::destination::Credential;
use crate::policy::edits::Edits;
use crate::policy::head::{Head, sent_authority};
use crate::policy::operation::{Operation, SingleUse};
use crate::policy::permit::Permit;
use crate::policy::session_token;
use crate::request::{Request, Tunnel, announced_length};
use crate::state::leases::LeaseKey;
use crate::state::sessions::Verified;
use crate::trust_edge::{LeaseLookup, TrustEdge};
use lease::{Authority, BodyDigest, HTTPS_PORT, Host, Secret};
use session::Refusal;

/// A stream whose request headers have not been seen.
#[derive(Default)]
pub struct AwaitRequest(());

// === impl AwaitRequest ===

impl AwaitRequest {
    /// Decides about a request: session first, then where it goes, then the allow-list, then the
    /// lease. The callouts that follow are in the edge's
    /// [outbox](TrustEdge::take_callouts).
    pub fn admit(self, edge: &mut TrustEdge, request: Request, now: Now) -> Verdict {
        judge(edge, request, now, KeyFetch::Allowed)
    }

    /// The same with the keys that there are: it waits for no others.
    pub(super) fn admit_finally(self, edge: &mut TrustEdge, request: Request, now: Now) -> Verdict {
        judge(edge, request, now, KeyFetch::Exhausted)
    }
}

/// Whether a request may wait for its issuer's keys.
#[derive(Clone, Copy)]
enum KeyFetch {
    Allowed,
    Exhausted,
}

enum Admitted {
    Forward(Forwarded),
    Read(Box<Gathering>),
    Wait(Box<Pending>),
}

// === impl Admitted ===

impl Admitted {
    fn verdict(self, request: Request, now: Now) -> Verdict {
        match self {
            Self::Forward(forwarded) => Verdict::Forward(forwarded),
            Self::Read(gathering) => {
                let refused = Denied::new(Denial::Internal, &request);
                let wait = AwaitBody::new(gathering, request.headers, refused, now);
                Verdict::Read(Box::new(wait))
            }
            Self::Wait(pending) => {
                let refused = Denied::new(Denial::Internal, &request);
                let wait = AwaitLease::new(pending, request.headers, refused);
                Verdict::Wait(Wait::Lease(wait))
            }
        }
    }
}

fn judge(edge: &mut TrustEdge, request: Request, now: Now, key_fetch: KeyFetch) -> Verdict {
    let denial = match decide(edge, &request, now) {
        Ok(admitted) => return admitted.verdict(request, now),
        Err(denial) => denial,
    };
    let keys = match key_fetch {
        KeyFetch::Allowed => keys_for(edge, denial, &request, now),
        KeyFetch::Exhausted => None,
    };
    match keys {
        Some(fetch) => Verdict::Wait(Wait::Keys(AwaitKeys::new(fetch, request))),
        None if is_told_in_tunnel(edge, denial, &request) => {
            Verdict::RefuseInTunnel(Denied::new(denial, &request))
        }
        None => Verdict::Deny(Denied::new(denial, &request)),
    }
}

/// Does this CONNECT open a tunnel in which its client shows the denial? The client has to begin TLS there, with
/// a name that leaf-ca mints a leaf for.
#[cold]
fn is_told_in_tunnel(edge: &TrustEdge, denial: Denial, request: &Request) -> bool {
    let begins_tls = |authority: &Authority| {
        let is_port = |port| port == HTTPS_PORT || edge.policy.allow_list.has_port(port);
        matches!(authority.host, Host::Name(_)) && is_port(authority.port)
    };
    edge.policy.refuses_in_tunnel
        && edge.policy.ingress.is_explicit()
        && denial.is_of_tunnel()
        && request.is_connect()
        && request.tunnel.is_none()
        && sent_authority(request, HTTPS_PORT).is_ok_and(|authority| begins_tls(&authority))
}

fn decide(edge: &mut TrustEdge, request: &Request, now: Now) -> Result<Admitted, Denial> {
    if request.is_connect() {
        admit_connect(edge, request, now)
    } else {
        admit_request(edge, request, now)
    }
}

/// A fetch of the issuer's keys that may change this denial.
fn keys_for(edge: &mut TrustEdge, denial: Denial, request: &Request, now: Now) -> Option<FetchId> {
    match denial {
        Denial::Session(Refusal::UnknownKey)
        | Denial::SessionKeysMissing
        | Denial::SessionKeysStale => {
            let token = session_token::find(&edge.policy.carriers, request).ok()?;
            edge.keys_for(token.bytes(), now)
        }
        _ => None,
    }
}

/// The session of this token: verified, not revoked, and sent from a place where it is valid.
fn believed(
    edge: &mut TrustEdge,
    token: &[u8],
    request: &Request,
    now: Now,
) -> Result<Verified, Denial> {
    let verified = edge.sessions.verify(&edge.keys, token, now)?;
    edge.revocations.check_session(&verified.session)?;
    if let Some(binding) = &edge.policy.binding {
        binding.check(&verified.session, request.place.as_deref())?;
    }
    Ok(verified)
}

/// A CONNECT opens the tunnel or not; what goes through it is judged again, request by request.
fn admit_connect(edge: &mut TrustEdge, request: &Request, now: Now) -> Result<Admitted, Denial> {
    if !edge.policy.ingress.is_explicit() || request.tunnel.is_some() {
        return Err(Denial::NestedConnect);
    }
    let token = session_token::find(&edge.policy.carriers, request)?;
    let verified = believed(edge, token.bytes(), request, now)?;
    let authority = sent_authority(request, HTTPS_PORT)?;
    let permit = edge.policy.allow_list.permit_tunnel(&verified.session, &authority)?;
    let edits = match session_token::is_carried(&token, request) {
        true => Edits::default(),
        false => Edits::carrying(&token),
    };
    Ok(Admitted::Forward(Forwarded::connect(permit, edits)))
}

fn admit_request(edge: &mut TrustEdge, request: &Request, now: Now) -> Result<Admitted, Denial> {
    match &request.tunnel {
        None if edge.policy.ingress.is_explicit() => return Err(Denial::ConnectRequired),
        Some(Tunnel { refusal: Some(code), .. }) => {
            return Err(Denial::of_code(code).unwrap_or(Denial::Internal));
        }
        _ => {}
    }
    let token = session_token::find(&edge.policy.carriers, request)?;
    let verified = believed(edge, token.bytes(), request, now)?;
    let head = Head::read(&edge.policy.ingress, request)?;
    let permit = edge.policy.allow_list.permit(&verified.session, head, &request.headers)?;
    let takes_credential = permit.credential().is_some();
    let carriers = &edge.policy.carriers;
    let edits = Edits::strip(&request.headers, permit.head(), carriers, takes_credential);
    let Some(Credential { handle, single_use }) = permit.credential() else {
        return Ok(Admitted::Forward(Forwarded::bare(&permit, edits)?));
    };
    edge.revocations.check_credential(handle.as_str(), now)?;
    if let Some(single_use) = single_use.clone() {
        return for_one_operation(edge, &single_use, request, permit, edits, token.bytes());
    }
    let key = LeaseKey::of(&permit, &verified.token, edge.digester).ok_or(Denial::Internal)?;
    if edge.policy.inject == Inject::Upstream {
        let ticket = Ticket::draw(&mut edge.rng);
        edge.attempts.open(ticket, permit.clone(), key, Secret::new(token.bytes()));
        return Ok(Admitted::Forward(Forwarded::ticketed(&permit, edits, ticket)));
    }
    Ok(match edge.find_or_request(key, &permit, token.bytes(), now)? {
        LeaseLookup::Now(issued) => {
            Admitted::Forward(Forwarded::with_lease(&permit, edits, &request.headers, &issued))
        }
        LeaseLookup::Awaited(fetch) => Admitted::Wait(Box::new(Pending { fetch, edits, permit })),
    })
}

/// Nothing is kept of such a lease and nobody shares it, so each request asks for its own.
fn for_one_operation(
    edge: &mut TrustEdge,
    single_use: &SingleUse,
    request: &Request,
    permit: Permit,
    edits: Edits,
    token: &[u8],
) -> Result<Admitted, Denial> {
    let token = Secret::new(token);
    let idempotency_key = single_use.key(&request.headers, &mut edge.rng)?;
    // A second attempt would be a second use.
    let edits = match edge.policy.inject {
        Inject::Upstream => edits.once(),
        Inject::Downstream => edits,
    };
    let digest = BodyDigest::default();
    match single_use.body.filter(|_| request.has_body) {
        Some(limit) if announced_length(&request.headers) > limit => Err(Denial::BodyTooLarge),
        // The client waits for a 100, and the destination gets no request before the body is here.
        Some(_) if request.headers.has("expect") => Err(Denial::ExpectationFailed),
        Some(limit) => {
            let gathering = Gathering { permit, edits, token, idempotency_key, digest, limit };
            Ok(Admitted::Read(Box::new(gathering)))
        }
        None => {
            let body_digest = single_use.body.map(|_| digest.finish());
            let operation = Operation { idempotency_key, body_digest };
            let fetch = edge.reserve(&permit, token, operation)?;
            Ok(Admitted::Wait(Box::new(Pending { fetch, edits, permit })))
        }
    }
}
