//! One request.

use crate::host::{self, Failed};
use crate::metrics::Metrics;
use edge::TrustEdge;
use edge::UnixSeconds;
use edge::denial::Denial;
use edge::edits::Edit;
use edge::exchange::{
    Answer, AwaitLease, AwaitRequest, Callout, Denied, Forwarded, MAX_ANSWER, Request, Tunnel,
    Verdict,
};
use edge::headers::Headers;
use proxy_wasm::hostcalls::dispatch_http_call;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType, Status};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// A stream and the phase its exchange is in.
pub struct Stream {
    edge: Option<Rc<RefCell<TrustEdge>>>,
    metrics: Rc<Metrics>,
    phase: Phase,
}

enum Phase {
    AwaitRequest(AwaitRequest),
    AwaitLease { wait: AwaitLease, token: u32 },
    Forwarded,
    Denied,
}

/// The filter state that the RBAC filter behind us demands: `wasm.leasehold.permit`.
const PERMIT: &str = "leasehold.permit";
/// Filter state that the outer listener's `set_filter_state` carries to the inner one.
const CONNECT_AUTHORITY: [&str; 2] = ["filter_state", "leasehold.connect_authority"];
const CONNECT_SESSION: [&str; 2] = ["filter_state", "leasehold.connect_session"];
const SERVER_NAME: [&str; 2] = ["connection", "requested_server_name"];

// === impl Stream ===

impl Stream {
    pub fn new(edge: Option<Rc<RefCell<TrustEdge>>>, metrics: Rc<Metrics>) -> Self {
        Self { edge, metrics, phase: Phase::AwaitRequest(AwaitRequest::default()) }
    }

    fn admit(&mut self, phase: AwaitRequest) -> Action {
        let request = match read_request() {
            Ok(request) => request,
            Err(failed) => return self.deny(&internal(failed)),
        };
        let verdict = match &self.edge {
            None => Verdict::Deny(Denied::new(Denial::NotConfigured, &request)),
            Some(edge) => match edge.try_borrow_mut() {
                Ok(mut edge) => phase.admit(&mut edge, request, now()),
                Err(_) => Verdict::Deny(Denied::new(Denial::Internal, &request)),
            },
        };
        match verdict {
            Verdict::Forward(forwarded) => self.forward(&forwarded, Held::No),
            Verdict::Ask(wait, callout) => self.ask(wait, &callout),
            Verdict::Deny(denied) => self.deny(&denied),
        }
    }

    fn ask(&mut self, wait: AwaitLease, callout: &Callout) -> Action {
        self.metrics.count_callout();
        match dispatch(callout) {
            Ok(token) => {
                self.phase = Phase::AwaitLease { wait, token };
                Action::Pause
            }
            Err(denial) => self.deny(&wait.abandon(denial)),
        }
    }

    fn settle(&mut self, wait: AwaitLease, answer: Answer<'_>) {
        let verdict = match self.edge.as_ref().map(|edge| edge.try_borrow_mut()) {
            Some(Ok(mut edge)) => wait.settle(&mut edge, answer, now()),
            _ => Verdict::Deny(wait.abandon(Denial::Internal)),
        };
        match verdict {
            Verdict::Forward(forwarded) => self.forward(&forwarded, Held::Yes),
            Verdict::Ask(wait, _) => self.deny(&wait.abandon(Denial::Internal)),
            Verdict::Deny(denied) => self.deny(&denied),
        };
    }

    /// Strip, inject, leave the permit, resume: in this order, in this one place. Whatever fails on
    /// the way leaves the request where it is, refused.
    fn forward(&mut self, forwarded: &Forwarded, held: Held) -> Action {
        let passage = forwarded.passage();
        let done = forwarded
            .edits()
            .iter()
            .try_for_each(apply)
            .and_then(|()| host::set_property(PERMIT, passage.as_str()));
        if let Err(failed) = done {
            return self.deny(&internal(failed));
        }
        self.phase = Phase::Forwarded;
        self.metrics.count_forwarded(passage);
        if held == Held::Yes && host::resume_request().is_err() {
            // Still held, then; Envoy ends it with the stream.
            log::error!("leasehold: the host does not resume a request");
        }
        Action::Continue
    }

    fn deny(&mut self, denied: &Denied) -> Action {
        self.phase = Phase::Denied;
        let (code, reply) = (denied.denial().code(), denied.reply());
        self.metrics.count_denied(denied.denial());
        let request_id = denied.request_id().unwrap_or("-");
        log::warn!(
            "leasehold: denied reason={code} status={} request_id={request_id}",
            reply.status
        );
        let details = format!("leasehold_{code}");
        if host::send_local_response(reply.status, &details, &reply.headers, &reply.body).is_err() {
            log::error!("leasehold: the host does not send a denial; the request stays held");
        }
        Action::Pause
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match std::mem::replace(&mut self.phase, Phase::Denied) {
            Phase::AwaitRequest(phase) => self.admit(phase),
            Phase::AwaitLease { wait, .. } => self.deny(&wait.abandon(Denial::Internal)),
            Phase::Forwarded => self.deny(&Denied::new(Denial::Internal, &Request::default())),
            Phase::Denied => Action::Pause,
        }
    }

    /// A body moves only behind headers that were let through.
    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.only_if_forwarded()
    }

    /// Trailers come when the decision about the headers is long made, and some servers merge them
    /// into those. Nothing a guest may do needs one, so none passes.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if drop_trailers().is_err() {
            return Action::Pause;
        }
        self.only_if_forwarded()
    }
}

impl Stream {
    fn only_if_forwarded(&self) -> Action {
        match self.phase {
            Phase::Forwarded => Action::Continue,
            _ => Action::Pause,
        }
    }
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        match std::mem::replace(&mut self.phase, Phase::Denied) {
            Phase::AwaitLease { wait, token: own } if own == token => {
                match read_answer(headers, body) {
                    Ok(Some(Received { status, body })) => {
                        self.settle(wait, Answer::Response { status, body: &body });
                    }
                    Ok(None) => self.settle(wait, Answer::Reset),
                    Err(failed) => {
                        self.deny(&wait.abandon(internal(failed).denial()));
                    }
                }
            }
            // An answer nobody waits for changes nothing.
            phase => self.phase = phase,
        }
    }
}

/// Is the request held by an earlier `Pause`?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

fn read_request() -> Result<Request, Failed> {
    let headers = host::headers(MapType::HttpRequestHeaders)?;
    let tunnel = match host::property(&CONNECT_AUTHORITY)? {
        None => None,
        Some(authority) => {
            Some(Tunnel { authority, proxy_authorization: host::property(&CONNECT_SESSION)? })
        }
    };
    Ok(Request { headers: Headers::new(headers), sni: host::property(&SERVER_NAME)?, tunnel })
}

/// A host call failed in the middle of a decision, so there is none.
fn internal(Failed(status): Failed) -> Denied {
    log::error!("leasehold: a host call returned status {status}");
    Denied::new(Denial::Internal, &Request::default())
}

/// What custody sent back; wiped, since it may be a lease.
struct Received {
    status: u16,
    body: Zeroizing<Vec<u8>>,
}

/// `None` if the stream to custody was reset.
fn read_answer(headers: usize, body_size: usize) -> Result<Option<Received>, Failed> {
    if headers == 0 {
        return Ok(None);
    }
    let status = host::header(MapType::HttpCallResponseHeaders, ":status")?.unwrap_or_default();
    let status = std::str::from_utf8(&status).ok().and_then(|status| status.parse().ok());
    // One byte more than allowed is enough to see that it is too much.
    let body = host::buffer(BufferType::HttpCallResponseBody, body_size.min(MAX_ANSWER + 1))?;
    let body = Zeroizing::new(body.unwrap_or_default());
    Ok(Some(Received { status: status.unwrap_or(0), body }))
}

fn dispatch(callout: &Callout) -> Result<u32, Denial> {
    let headers = vec![
        (":method", "POST"),
        (":path", "/v1/leases"),
        (":authority", callout.authority.as_str()),
        (":scheme", "https"),
        ("content-type", "application/json"),
    ];
    let sent =
        dispatch_http_call(&callout.cluster, headers, Some(&callout.body), vec![], callout.timeout);
    sent.map_err(|status| match status {
        Status::BadArgument => Denial::CustodyUnknownCluster,
        _ => Denial::CustodyUnavailable,
    })
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

fn now() -> UnixSeconds {
    // Before 1970 everything has expired: u64::MAX denies.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(u64::MAX, |elapsed| elapsed.as_secs())
}
