//! One request.

use crate::facts;
use crate::flow::{Flow, Step};
use crate::headers;
use crate::host::{self, Failed};
use crate::reply;
use crate::root::Root;
use abi::types::{BufferType, MapType};
use edge::exchange::{
    AwaitBody, AwaitRequest, Denied, DiscardBody, Forwarded, PermitKind, Verdict,
};
use edge::ids::Ticket;
use edge::policy::denial::Denial;
use edge::policy::links::GatewayLinks;
use edge::request::Request;
use edge::state::lease_usage::{LeaseUsage, RequestOutcome};
use std::rc::Rc;
use std::time::Duration;

/// A stream and the phase its exchange is in.
pub struct Stream {
    id: u32,
    /// The root that judges it.
    root: u32,
    phase: Phase,
    /// The lease it took along.
    usage: Option<LeaseUsage>,
    /// By what its attempts get theirs, or, if it is one, by what it gets its own.
    ticket: Option<Ticket>,
    is_attempt: bool,
    /// How the links of its response become links to the gateway, where they do.
    links: Option<Rc<GatewayLinks>>,
}

enum Phase {
    AwaitRequest(AwaitRequest),
    /// Held, and its body is read.
    AwaitBody(Box<AwaitBody>),
    /// Held. Its [`Wait`] is with the root.
    Held,
    Forwarded,
    /// Refused, and the reply follows the body.
    DiscardBody(Box<DiscardBody>),
    /// Refused, and the host has not taken the reply yet.
    ReplyPending(Denied),
    Denied,
}

/// Is the request held by an earlier `Pause`?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

/// The filter state that the RBAC filter behind us demands: `wasm.leasehold.permit`.
const PERMIT: &str = "leasehold.permit";
/// The code of the denial in a CONNECT's tunnel; filter state `wasm.leasehold.refusal`.
const REFUSAL: &str = "leasehold.refusal";
/// The root that judged a request, and its number there; filter state `wasm.leasehold.ticket`.
const TICKET: &str = "leasehold.ticket";

// === impl Stream ===

impl Stream {
    pub fn new(id: u32, root: u32) -> Self {
        let phase = Phase::AwaitRequest(AwaitRequest::default());
        Self { id, root, phase, usage: None, ticket: None, is_attempt: false, links: None }
    }

    pub fn root(&self) -> u32 {
        self.root
    }

    /// A newer configuration than that of its listener judges it. Nobody has yet.
    pub fn set_root(&mut self, root: u32) {
        self.root = root;
    }

    pub fn links(&self) -> Option<&GatewayLinks> {
        self.links.as_deref()
    }

    /// If its body is read: by whom, and when its time is over.
    pub fn body_deadline(&self) -> Option<(u32, Duration)> {
        match &self.phase {
            Phase::AwaitBody(wait) => Some((self.root, wait.deadline())),
            Phase::DiscardBody(body) => Some((self.root, body.deadline())),
            _ => None,
        }
    }

    /// `end`: nothing follows the headers.
    pub fn request_headers(&mut self, end: bool, root: &mut Root) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Denied) {
            Phase::AwaitRequest(phase) => self.admit(phase, end, root),
            Phase::AwaitBody(_) | Phase::DiscardBody(_) | Phase::Held | Phase::Forwarded => {
                self.deny(Denied::new(Denial::Internal, &Request::default()), root)
            }
            phase @ (Phase::ReplyPending(_) | Phase::Denied) => {
                self.phase = phase;
                Step::Hold
            }
        }
    }

    /// Looks whether it is an attempt of a request that needs a lease. It then belongs to the root that
    /// judged that request.
    ///
    /// # Errors
    /// The host call fails, or returns something other than a ticket.
    pub fn find_ticket(&mut self) -> Result<bool, Failed> {
        let Some((root, ticket)) = facts::ticket()? else {
            self.phase = Phase::Forwarded;
            return Ok(false);
        };
        (self.root, self.ticket, self.is_attempt) = (root, Some(ticket), true);
        Ok(true)
    }

    /// Its credential is due. The root that judged the request has it.
    pub fn attempt(&mut self, root: &mut Root) -> Step {
        self.phase = Phase::Denied;
        let headers = host::headers(MapType::HttpRequestHeaders);
        match (headers, self.ticket) {
            (Ok(headers), Some(ticket)) => {
                let request = Request { headers, ..Request::default() };
                let verdict = root.attempt(ticket, request);
                self.follow(verdict, Held::No, root)
            }
            (headers, _) => {
                let failed = headers.err().unwrap_or(Failed::INTERNAL);
                self.deny(reply::internal(failed), root)
            }
        }
    }

    /// The flow of a body and of trailers: they move only behind headers that were let through.
    /// `None` where they are [read](Self::request_body).
    pub fn request_flow(&self) -> Option<Flow> {
        match self.phase {
            Phase::Forwarded => Some(Flow::Continue),
            Phase::AwaitBody(_) | Phase::DiscardBody(_) => None,
            _ => Some(Flow::StopIteration),
        }
    }

    /// A piece of the body that is read; Envoy holds `size` bytes of it by now.
    pub fn request_body(&mut self, size: usize, end: bool, root: &mut Root) -> Step {
        let mut wait = match self.leave_phase() {
            Phase::AwaitBody(wait) => wait,
            Phase::DiscardBody(body) => return self.discard(body, size, end, root),
            _ => return Step::Hold,
        };
        if !wait.takes(size) {
            let denied = wait.abandon(Denial::BodyTooLarge);
            return if end { self.deny(denied, root) } else { self.deny_after_body(denied, root) };
        }
        let (read, length) = (wait.length(), size.saturating_sub(wait.length()));
        let bytes = host::buffer_from(BufferType::HttpRequestBody, read, length);
        match bytes.map(Option::unwrap_or_default) {
            Ok(bytes) if bytes.len() == length => wait.read(&bytes),
            // What was not seen could be anything.
            other => {
                let failed = other.err().unwrap_or(Failed::INTERNAL);
                return self.deny(wait.abandon(reply::internal(failed).denial()), root);
            }
        }
        self.phase = Phase::AwaitBody(wait);
        if end { self.request_end(root) } else { Step::Read }
    }

    /// The body that is read has ended.
    pub fn request_end(&mut self, root: &mut Root) -> Step {
        match self.leave_phase() {
            Phase::AwaitBody(wait) => {
                let verdict = root.body_ended(*wait);
                self.follow(verdict, Held::Yes, root)
            }
            Phase::DiscardBody(body) => self.say(body.end()),
            _ => Step::Hold,
        }
    }

    #[cold]
    fn discard(&mut self, mut body: Box<DiscardBody>, size: usize, end: bool, root: &Root) -> Step {
        if end || !body.discard(size, root.now()) {
            return self.say(body.end());
        }
        self.phase = Phase::DiscardBody(body);
        Step::Discard
    }

    /// Its trailers cannot be taken out, so nothing more of it goes on.
    pub fn refuse_trailers(&mut self, failed: Failed, root: &mut Root) -> Step {
        match self.leave_phase() {
            Phase::Forwarded | Phase::AwaitBody(_) => self.deny(reply::internal(failed), root),
            Phase::DiscardBody(body) => self.say(body.end()),
            phase => {
                self.phase = phase;
                Step::Hold
            }
        }
    }

    /// Its body did not come, or is not read any more. Called outside the stream's own callbacks.
    pub fn give_up(&mut self, denial: Denial, root: &mut Root) -> Step {
        match self.leave_phase() {
            Phase::AwaitBody(wait) => {
                let denied = wait.abandon(denial);
                match host::set_effective_context(self.id) {
                    Ok(()) => self.deny(denied, root),
                    Err(_) => self.deny_later(denied, root),
                }
            }
            Phase::DiscardBody(body) => {
                self.phase = Phase::ReplyPending(body.end());
                self.retry_reply()
            }
            _ => Step::Hold,
        }
    }

    /// The wait is over, or another follows. Called outside the stream's own callbacks.
    pub fn finish_wait(&mut self, verdict: Verdict, root: &mut Root) -> Step {
        let Phase::Held = self.phase else { return Step::Hold };
        if let Verdict::Wait(wait) = verdict {
            return Step::Wait(wait);
        }
        self.phase = Phase::Denied;
        if let Err(failed) = host::set_effective_context(self.id) {
            return self.deny_later(reply::internal(failed), root);
        }
        self.follow(verdict, Held::Yes, root)
    }

    /// Once more what the host would not take. Called outside the stream's own callbacks.
    pub fn retry_reply(&mut self) -> Step {
        match std::mem::replace(&mut self.phase, Phase::Denied) {
            Phase::ReplyPending(denied) => {
                if host::set_effective_context(self.id).is_err() {
                    self.phase = Phase::ReplyPending(denied);
                    return Step::ReplyPending;
                }
                self.say(denied)
            }
            phase => {
                self.phase = phase;
                Step::Hold
            }
        }
    }

    /// Denies the request: counts and logs the denial, and sends the reply.
    pub fn deny(&mut self, denied: Denied, root: &mut Root) -> Step {
        reply::note(&denied, root);
        self.say(denied)
    }

    /// The same, with the reply behind the body, if there is one to come.
    #[cold]
    fn deny_after_body(&mut self, denied: Denied, root: &mut Root) -> Step {
        reply::note(&denied, root);
        if !denied.has_body() {
            return self.say(denied);
        }
        self.phase = Phase::DiscardBody(Box::new(DiscardBody::new(denied, root.now())));
        Step::Discard
    }

    /// The host ends the stream. The edge learns of the response for the lease that the request used.
    pub fn end(&mut self, root: &mut Root) {
        if let Phase::Held = self.phase {
            root.leave(self.id);
        }
        if self.is_attempt {
            // How it ended is known when the next begins, or when the request is over.
            return;
        }
        if let Some(ticket) = self.ticket {
            let (status, details) = (facts::status(), facts::details());
            root.attempts_ended(ticket, RequestOutcome { status, details: &details });
        }
        let Some(usage) = self.usage.take() else { return };
        let status = facts::status();
        if usage.needs_report(status) {
            root.ended(&usage, RequestOutcome { status, details: &facts::details() });
        }
    }

    fn leave_phase(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Denied)
    }

    fn deny_later(&mut self, denied: Denied, root: &mut Root) -> Step {
        reply::note(&denied, root);
        self.phase = Phase::ReplyPending(denied);
        Step::ReplyPending
    }

    fn say(&mut self, denied: Denied) -> Step {
        if reply::send(&denied) {
            self.phase = Phase::Denied;
            return Step::Hold;
        }
        self.phase = Phase::ReplyPending(denied);
        Step::ReplyPending
    }

    fn admit(&mut self, phase: AwaitRequest, end: bool, root: &mut Root) -> Step {
        let request = match facts::request(end, root) {
            Ok(request) => request,
            Err(failed) => return self.deny(reply::internal(failed), root),
        };
        let verdict = root.admit(phase, request);
        self.follow(verdict, Held::No, root)
    }

    fn follow(&mut self, verdict: Verdict, held: Held, root: &mut Root) -> Step {
        match verdict {
            Verdict::Forward(forwarded) => self.forward(&forwarded, held, root),
            Verdict::Read(wait) => {
                self.phase = Phase::AwaitBody(wait);
                Step::Read
            }
            Verdict::Wait(wait) => {
                self.phase = Phase::Held;
                Step::Wait(wait)
            }
            Verdict::Deny(denied) if held == Held::No => self.deny_after_body(denied, root),
            Verdict::Deny(denied) => self.deny(denied, root),
            Verdict::RefuseInTunnel(denied) => self.refuse_in_tunnel(denied, held, root),
        }
    }

    /// Opens a tunnel that holds a code in place of a session. No session is carried into it, so that nothing
    /// in it can be permitted.
    #[cold]
    fn refuse_in_tunnel(&mut self, denied: Denied, held: Held, root: &mut Root) -> Step {
        let done = host::remove(MapType::HttpRequestHeaders, b"proxy-authorization")
            .and_then(|()| host::set_property(REFUSAL, denied.denial().code()))
            .and_then(|()| leave_permit(PermitKind::Refusal))
            .and_then(|()| resume(held));
        if let Err(failed) = done {
            return self.deny(reply::internal(failed), root);
        }
        reply::note(&denied, root);
        self.phase = Phase::Forwarded;
        Step::Forward
    }

    /// Strip, inject, leave the permit, resume: in this order. A host call that fails on the way denies the
    /// request.
    fn forward(&mut self, forwarded: &Forwarded, held: Held, root: &mut Root) -> Step {
        let permit_kind = forwarded.permit_kind();
        self.usage = forwarded.usage().cloned();
        self.ticket = forwarded.ticket().or(self.ticket);
        self.links = forwarded.links().filter(|_| !self.is_attempt).cloned();
        let done = forwarded
            .edits()
            .iter()
            .try_for_each(headers::apply)
            .and_then(|()| leave_permit(permit_kind))
            .and_then(|()| forwarded.ticket().map_or(Ok(()), |ticket| self.leave_ticket(ticket)))
            .and_then(|()| resume(held));
        if let Err(failed) = done {
            return self.deny(reply::internal(failed), root);
        }
        self.phase = Phase::Forwarded;
        match self.ticket.filter(|_| self.is_attempt) {
            Some(ticket) => root.attempted(ticket, forwarded),
            None => root.metrics.count_forwarded(permit_kind),
        }
        Step::Forward
    }

    fn leave_ticket(&self, ticket: Ticket) -> Result<(), Failed> {
        host::set_property(TICKET, &format!("{}.{ticket}", self.root))
    }
}

/// Writes the permit that the net behind the filter demands. Nothing else writes it.
fn leave_permit(kind: PermitKind) -> Result<(), Failed> {
    host::set_property(PERMIT, kind.as_str())
}

/// Lets a held request go on. One that is not held goes on by itself.
fn resume(held: Held) -> Result<(), Failed> {
    if held == Held::Yes { host::resume_request() } else { Ok(()) }
}
