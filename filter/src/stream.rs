//! One request.

use crate::host::{self, Failed};
use crate::root::Root;
use abi::types::{Action, MapType};
use edge::denial::Denial;
use edge::edits::Edit;
use edge::exchange::{AwaitRequest, Denied, Forwarded, Request, Tunnel, Verdict, Wait};
use edge::headers::Headers;
use edge::lent::{Ending, Lent};
use edge::problem::Reply;

/// A stream and the phase its exchange is in.
pub struct Stream {
    id: u32,
    root: u32,
    phase: Phase,
    /// The lease it took along.
    lent: Option<Lent>,
}

enum Phase {
    AwaitRequest(AwaitRequest),
    /// Held. Its [`Wait`] is with the root.
    Held,
    Forwarded,
    /// Refused, and the host has not taken the reply yet.
    Unsaid(Denied),
    Denied,
}

/// What follows from an event.
pub enum Step {
    Forward,
    /// Nothing more to do: it waits for an answer, or is over.
    Hold,
    /// It waits for a flight.
    Wait(Wait),
    /// Refused, and [to be said again](Stream::say_again).
    Unsaid,
}

/// Is the request held by an earlier `Pause`?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

/// The filter state that the RBAC filter behind us demands: `wasm.leasehold.permit`.
const PERMIT: &str = "leasehold.permit";
/// Filter state that the outer listener's `set_filter_state` carries to the inner one.
const CONNECT_AUTHORITY: &str = "filter_state\0leasehold.connect_authority";
const CONNECT_SESSION: &str = "filter_state\0leasehold.connect_session";
const RESPONSE_CODE: &str = "response\0code";
const SERVER_NAME: &str = "connection\0requested_server_name";

// === impl Stream ===

impl Stream {
    pub fn new(id: u32, root: u32) -> Self {
        Self { id, root, phase: Phase::AwaitRequest(AwaitRequest::default()), lent: None }
    }

    pub fn root(&self) -> u32 {
        self.root
    }

    pub fn request_headers(&mut self, root: &mut Root) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Denied) {
            Phase::AwaitRequest(phase) => self.admit(phase, root),
            Phase::Held | Phase::Forwarded => {
                self.deny(Denied::new(Denial::Internal, &Request::default()), root)
            }
            phase @ (Phase::Unsaid(_) | Phase::Denied) => {
                self.phase = phase;
                Step::Hold
            }
        }
    }

    /// A body moves only behind headers that were let through.
    pub fn request_body(&self) -> Action {
        match self.phase {
            Phase::Forwarded => Action::Continue,
            _ => Action::Pause,
        }
    }

    /// Trailers come when the decision about the headers is long made, and some servers merge them
    /// into those. Nothing a guest may do needs one, so none passes.
    pub fn request_trailers(&self) -> Action {
        match drop_trailers() {
            Ok(()) => self.request_body(),
            Err(_) => Action::Pause,
        }
    }

    /// The wait is over, or another follows. Called outside the stream's own callbacks.
    pub fn conclude(&mut self, verdict: Verdict, root: &Root) -> Step {
        let Phase::Held = self.phase else { return Step::Hold };
        let decided = match verdict {
            Verdict::Wait(wait) => return Step::Wait(wait),
            Verdict::Forward(forwarded) => Ok(forwarded),
            Verdict::Deny(denied) => Err(denied),
        };
        self.phase = Phase::Denied;
        if let Err(failed) = host::set_effective_context(self.id) {
            return self.deny_later(internal(failed), root);
        }
        match decided {
            Ok(forwarded) => self.forward(&forwarded, Held::Yes, root),
            Err(denied) => self.deny(denied, root),
        }
    }

    /// Once more what the host would not take. Called outside the stream's own callbacks.
    pub fn say_again(&mut self) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Denied) {
            Phase::Unsaid(denied) => {
                if host::set_effective_context(self.id).is_err() {
                    self.phase = Phase::Unsaid(denied);
                    return Step::Unsaid;
                }
                let reply = denied.reply();
                self.say(denied, &reply)
            }
            phase => {
                self.phase = phase;
                Step::Hold
            }
        }
    }

    /// Refuses the request: counted, logged, told.
    pub fn deny(&mut self, denied: Denied, root: &Root) -> Step {
        let reply = denied.reply();
        note(&denied, &reply, root);
        self.say(denied, &reply)
    }

    /// The host lets go of it. What it says about the response is for whoever lent the lease.
    pub fn end(&mut self, root: &mut Root) {
        if let Phase::Held = self.phase {
            root.leave(self.id);
        }
        let Some(lent) = self.lent.take() else { return };
        let status = host::property(RESPONSE_CODE).ok().flatten().and_then(|bytes| number(&bytes));
        let ending = Ending { status: status.unwrap_or_default(), details: &[] };
        if lent.minds(ending) {
            root.ended(&lent, ending);
        }
    }

    fn deny_later(&mut self, denied: Denied, root: &Root) -> Step {
        note(&denied, &denied.reply(), root);
        self.phase = Phase::Unsaid(denied);
        Step::Unsaid
    }

    fn say(&mut self, denied: Denied, reply: &Reply) -> Step {
        if send(&denied, reply).is_ok() {
            self.phase = Phase::Denied;
            return Step::Hold;
        }
        log::error!("leasehold: the host does not send a denial; the request stays held");
        self.phase = Phase::Unsaid(denied);
        Step::Unsaid
    }

    fn admit(&mut self, phase: AwaitRequest, root: &mut Root) -> Step {
        let request = match read_request() {
            Ok(request) => request,
            Err(failed) => return self.deny(internal(failed), root),
        };
        match root.admit(phase, request) {
            Verdict::Forward(forwarded) => self.forward(&forwarded, Held::No, root),
            Verdict::Wait(wait) => {
                self.phase = Phase::Held;
                Step::Wait(wait)
            }
            Verdict::Deny(denied) => self.deny(denied, root),
        }
    }

    /// Strip, inject, leave the permit, resume: in this order, in this one place. Whatever fails on
    /// the way leaves the request where it is, refused.
    fn forward(&mut self, forwarded: &Forwarded, held: Held, root: &Root) -> Step {
        let passage = forwarded.passage();
        self.lent = forwarded.lent().cloned();
        let done = forwarded
            .edits()
            .iter()
            .try_for_each(apply)
            .and_then(|()| host::set_property(PERMIT, passage.as_str()))
            .and_then(|()| if held == Held::Yes { host::resume_request() } else { Ok(()) });
        if let Err(failed) = done {
            return self.deny(internal(failed), root);
        }
        self.phase = Phase::Forwarded;
        root.metrics.count_forwarded(passage);
        Step::Forward
    }
}

// === impl Step ===

impl Step {
    pub fn action(&self) -> Action {
        match self {
            Self::Forward => Action::Continue,
            Self::Hold | Self::Wait(_) | Self::Unsaid => Action::Pause,
        }
    }
}

/// A request of a context that was never announced.
pub fn refuse_unknown() -> Action {
    log::error!("leasehold: an event for a context that is not there");
    let denied = Denied::new(Denial::Internal, &Request::default());
    if send(&denied, &denied.reply()).is_err() {
        log::error!("leasehold: the host does not send a denial; the request stays held");
    }
    Action::Pause
}

/// A host call failed in the middle of a decision, so there is none.
pub fn internal(Failed(status): Failed) -> Denied {
    log::error!("leasehold: a host call returned status {status}");
    Denied::new(Denial::Internal, &Request::default())
}

fn note(denied: &Denied, reply: &Reply, root: &Root) {
    root.metrics.count_denied(denied.denial());
    let (code, status) = (denied.denial().code(), reply.status);
    let request_id = denied.request_id().unwrap_or("-");
    log::warn!("leasehold: denied reason={code} status={status} request_id={request_id}");
}

fn send(denied: &Denied, reply: &Reply) -> Result<(), Failed> {
    let details = format!("leasehold_{}", denied.denial().code());
    host::send_local_response(reply.status, &details, &reply.headers, &reply.body)
}

fn read_request() -> Result<Request, Failed> {
    let headers = host::headers(MapType::HttpRequestHeaders)?;
    let tunnel = match host::property(CONNECT_AUTHORITY)? {
        None => None,
        Some(authority) => {
            Some(Tunnel { authority, proxy_authorization: host::property(CONNECT_SESSION)? })
        }
    };
    Ok(Request { headers: Headers::new(headers), sni: host::property(SERVER_NAME)?, tunnel })
}

/// Envoy's integers are 8 bytes, little endian.
fn number(bytes: &[u8]) -> Option<u16> {
    u16::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

fn drop_trailers() -> Result<(), Failed> {
    let trailers = host::headers(MapType::HttpRequestTrailers)?;
    trailers.iter().try_for_each(|(name, _)| host::remove(MapType::HttpRequestTrailers, name))
}

fn apply(edit: &Edit) -> Result<(), Failed> {
    match edit {
        Edit::Remove(name) => host::remove(MapType::HttpRequestHeaders, name),
        Edit::Set { name, value } => host::set_request_header(name, value.expose()),
    }
}
