//! Playing a case on the simulator.

use super::act::Act;
use super::error::CaseError;
use super::expect::Difference;
use super::file::{Case, CaseFile, Response, Step};
use super::issuer::IssuerScript;
use super::observed::{Observed, Stage};
use super::sync_script::{SyncScript, SyncStep};
use super::template::Template;
use super::tunnel::{CONNECT_AUTHORITY, CONNECT_REFUSAL, CONNECT_SESSION, Tunnel};
use super::{CustodyScript, default_front, plugin, request_text};
use crate::builder::Builder;
use crate::clock::Instant;
use crate::headers::HeaderMap;
use crate::host::Host;
use crate::message::Message;
use crate::module::Module;
use crate::outcome::{Outcome, Verdict};
use crate::request::Request;
use crate::script::{Answer, CalloutRequest, Cluster, Upstream};
use crate::stream::StreamId;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// A case that was played.
pub struct CaseRun {
    pub steps: Vec<StepRun>,
    /// The simulation as it ended, for whoever wants to look closer.
    pub host: Host,
}

pub struct StepRun {
    /// Of each request, in the order of the step.
    pub observed: Vec<Observed>,
    pub differences: Vec<Difference>,
    /// Guest instructions this step took.
    pub fuel: u64,
    /// Host calls this step made, by name.
    pub calls: BTreeMap<&'static str, u64>,
}

/// What the safety net wants to see of a CONNECT and of a request.
const PERMITS_CONNECT: [&[u8]; 2] = [b"connect", PERMIT_REFUSAL];
const PERMITS_REQUEST: [&[u8]; 1] = [b"request"];
/// The permit of a CONNECT to the listener that no route leads out of.
const PERMIT_REFUSAL: &[u8] = b"refusal";
/// What the filter says there; the outer listener's `set_filter_state` takes it along.
const REFUSAL: &str = "wasm.leasehold.refusal";

const LEASES: &str = "/v1/leases";

/// The `jti` of sessions that do not name one.
const JTI: &str = "session-1";

const SYNC: &str = "/v1/sync";
/// A worker that has failed to hear asks again after seconds.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
const MAX_POLL_INTERVALS: usize = 60;

struct Runner<'a> {
    file: &'a CaseFile,
    case: &'a Case,
    cluster: String,
    /// What custody says beside its leases.
    sync: Rc<RefCell<SyncScript>>,
    issuer: Rc<RefCell<IssuerScript>>,
    /// Of the cases' own clock: what its steps have let pass.
    elapsed: Duration,
    began: u64,
    carried: Carried,
    host: Host,
}

/// What the CONNECT took into the tunnel.
#[derive(Default)]
struct Carried {
    session: Option<String>,
    /// In place of a session.
    refusal: Option<Vec<u8>>,
}

/// Plays a case from its first step to its last.
///
/// # Errors
/// The case makes no sense, or the module does not start.
pub fn run_case(module: &Module, file: &CaseFile, case: &Case) -> Result<CaseRun, CaseError> {
    run_case_with(module, file, case, |builder| builder)
}

/// The same, on a simulation that is set up otherwise (faults, recording).
///
/// # Errors
/// As [`run_case`].
pub fn run_case_with(
    module: &Module,
    file: &CaseFile,
    case: &Case,
    adjust: impl FnOnce(Builder) -> Builder,
) -> Result<CaseRun, CaseError> {
    let fail = |reason: String| CaseError::case(&case.name, reason);
    let config = case.config_in(file);
    let cluster = cluster_of(config.as_ref());
    let template = Template::new(Instant::default().unix_seconds(), String::new());
    let text = config.as_ref().map(|config| template.value(config)).transpose().map_err(fail)?;
    let is_edge = plugin::is_edge_policy(config.as_ref());
    let spec = &file.plugin;
    let plugin = spec.plugin(module, text.map(|text| text.to_string()), is_edge);
    let workers = case.workers.unwrap_or(1).max(1);
    let builder = Host::builder().plugin(plugin).workers(workers).main_thread(!is_edge);
    let builder = plugin::clusters(&file.clusters, spec.limits(builder)).map_err(fail)?;
    let host = adjust(builder).start();
    let host = host
        .map_err(|error| CaseError::Module { case: case.name.clone(), error: Box::new(error) })?;
    let began = host.now().unix_seconds();
    let (sync, issuer) = (Rc::default(), Rc::default());
    let elapsed = Duration::ZERO;
    let carried = Carried::default();
    let mut runner = Runner { file, case, cluster, sync, issuer, elapsed, began, carried, host };
    runner.publish_keys(config.as_ref());
    let mut steps = Vec::new();
    for (n, step) in case.steps().iter().enumerate() {
        let script = case.custody_in(file, n, step);
        steps.push(runner.step(step, script).map_err(fail)?);
    }
    Ok(CaseRun { steps, host: runner.host })
}

// === impl Runner ===

impl Runner<'_> {
    fn step(&mut self, step: &Step, script: Option<&CustodyScript>) -> Result<StepRun, String> {
        if let Some(script) = &step.issuer {
            *self.issuer.borrow_mut() = script.clone();
        }
        let wait = step.wait()?;
        self.host.advance(wait);
        self.elapsed += wait;
        let now = self.began + self.elapsed.as_secs();
        let acts = Act::all_of(self.file, self.case, step, now, JTI)?;
        if let (Some(script), Some(act)) = (script, acts.first())
            && let Some(answers) = script.answers(&act.template)?
        {
            let sync = Rc::clone(&self.sync);
            let beside = move |request: &CalloutRequest| beside(&sync, request);
            let cluster =
                Cluster::answering(answers).answering_apart(|path| path != LEASES, beside);
            self.host.set_cluster(&self.cluster, cluster);
        }
        if let Some(update) = &step.news {
            self.publish_sync(update)?;
        }
        let before = self.host.callouts(&self.cluster).len();
        let reports = self.reports().len();
        let (fuel, calls) = self.spent();
        let mut observed = self.exchange(step, &acts)?;
        let asked = self.host.callouts(&self.cluster).split_off(before);
        let asked: Vec<_> = asked.into_iter().map(|request| request.message.body).collect();
        let reports = self.reports().split_off(reports);
        for observed in &mut observed {
            observed.callouts.clone_from(&asked);
            observed.outcomes.clone_from(&reports);
        }
        let differences = step.compare(&acts, &observed)?;
        let (fuel_after, mut calls_after) = self.spent();
        for (name, n) in calls {
            calls_after.entry(name).and_modify(|after| *after -= n);
        }
        calls_after.retain(|_, n| *n > 0);
        Ok(StepRun { observed, differences, fuel: fuel_after - fuel, calls: calls_after })
    }

    /// Whoever publishes the session keys.
    fn publish_keys(&mut self, config: Option<&Value>) {
        if IssuerScript::is_asked(config) {
            let script = Rc::clone(&self.issuer);
            let answer = move |_: &CalloutRequest| script.borrow().answer();
            self.host.set_cluster("issuer", Cluster::answering_with(answer));
        }
    }

    /// Lets time pass until every worker has heard the news.
    fn publish_sync(&mut self, update: &SyncStep) -> Result<(), String> {
        self.sync.borrow_mut().publish(update.clone());
        let sync = Rc::clone(&self.sync);
        let is_poll = |request: &CalloutRequest| path_of(request).starts_with(SYNC);
        self.host.answer_held(&self.cluster, |request| {
            is_poll(request).then(|| sync.borrow_mut().answer(request)).flatten()
        });
        let workers = self.case.workers.unwrap_or(1).max(1);
        for _ in 0..MAX_POLL_INTERVALS {
            if self.sync.borrow().is_received_by(workers) {
                return Ok(());
            }
            self.host.advance(POLL_INTERVAL);
        }
        Err("news: not every worker asks for them".to_owned())
    }

    /// Bodies of the reports to custody of what became of leases.
    fn reports(&self) -> Vec<Vec<u8>> {
        let mut reports = self.host.callouts_apart(&self.cluster);
        reports.retain(|request| path_of(request).ends_with("/outcome"));
        reports.into_iter().map(|request| request.message.body).collect()
    }

    fn spent(&self) -> (u64, BTreeMap<&'static str, u64>) {
        let transcript = self.host.transcript();
        (transcript.fuel(), transcript.calls().clone())
    }

    /// CONNECT first, where there is one, and the requests if that was let through.
    fn exchange(&mut self, step: &Step, acts: &[Act]) -> Result<Vec<Observed>, String> {
        if let Some(act) = acts.first()
            && let Some(seen) = self.open_tunnel(step, act)?
        {
            return Ok(vec![seen; acts.len()]);
        }
        let begun: Result<Vec<_>, _> = acts.iter().map(|act| self.begin(step, act)).collect();
        let begun = begun?;
        for (act, stream) in acts.iter().zip(&begun) {
            let Ok(stream) = stream else { continue };
            for (n, piece) in act.body.iter().enumerate() {
                self.host.send_body(*stream, piece.as_str(), n + 1 == act.body.len());
            }
        }
        for (_, stream) in acts.iter().zip(&begun).filter(|(act, _)| act.goes_away) {
            if let Ok(stream) = stream {
                self.host.cancel(*stream);
            }
        }
        self.host.settle();
        Ok(self.outcomes(acts, begun))
    }

    /// What became of a CONNECT that did not open, or that is all there is.
    fn open_tunnel(&mut self, step: &Step, act: &Act) -> Result<Option<Observed>, String> {
        // Of the tunnel of an earlier step, nothing reaches this one.
        self.carried = Carried::default();
        let Some(tunnel) = act.tunnel.as_ref().filter(|tunnel| tunnel.checked) else {
            return Ok(None);
        };
        let connect = match default_front::receive(connecting(tunnel)) {
            Ok(connect) => Request::from_message(connect),
            Err(status) => return Ok(Some(Observed::refused_by_envoy(status))),
        };
        let outcome = self.host.exchange(connect.on_worker(step.worker));
        let observed = self.observed(&outcome, &PERMITS_CONNECT);
        let connect = outcome.upstream.as_ref();
        let session = connect.and_then(|connect| connect.headers.text("proxy-authorization"));
        let is_refused = self.permit(&outcome) == Some(PERMIT_REFUSAL);
        let refusal = outcome.properties.filter_state(REFUSAL).filter(|_| is_refused);
        self.carried = Carried { session, refusal: refusal.map(<[u8]>::to_vec) };
        Ok((!observed.is_allowed() || act.request.is_none()).then_some(observed))
    }

    /// Brings the headers to the filter, if Envoy does.
    fn begin(&mut self, step: &Step, act: &Act) -> Result<Result<StreamId, Observed>, String> {
        let text = act.request.as_deref();
        let text = text.ok_or("neither a request nor a CONNECT that is checked")?;
        let message = match default_front::receive(request_text::parse(text)?) {
            Ok(message) => message,
            Err(status) => return Ok(Err(Observed::refused_by_envoy(status))),
        };
        let mut request = Request::from_message(message).on_worker(step.worker);
        if let Some(tunnel) = &act.tunnel {
            let session = match tunnel.checked {
                true => self.carried.session.clone(),
                false => connecting(tunnel).headers.text("proxy-authorization"),
            };
            request = carried(tunnel, session, request);
            if let Some(refusal) = self.carried.refusal.as_ref().filter(|_| tunnel.checked) {
                request = request.filter_state(CONNECT_REFUSAL, refusal.clone());
            }
        } else if let Some(sni) = &step.sni {
            request = request.property(&["connection", "requested_server_name"], sni.as_str());
        }
        if let Some(response) = &act.response {
            request = request.upstream(upstream(response));
        }
        if !act.body.is_empty() {
            request = request.unfinished();
        }
        Ok(Ok(self.host.send(request)))
    }

    fn outcomes(&self, acts: &[Act], begun: Vec<Result<StreamId, Observed>>) -> Vec<Observed> {
        let mut order = self.host.transcript().stream_ends();
        order.retain(|ended| {
            let mut stayed = acts.iter().zip(&begun).filter(|(act, _)| !act.goes_away);
            stayed.any(|(_, own)| own.as_ref().is_ok_and(|own| own == ended))
        });
        let outcome = |(act, stream): (&Act, Result<StreamId, Observed>)| {
            let stream = match stream {
                Ok(stream) => stream,
                Err(seen) => return seen,
            };
            let mut observed = self.observed(&self.host.outcome(stream), &PERMITS_REQUEST);
            if observed.stage == Stage::Through && self.carried.refusal.is_some() {
                observed.stage = Stage::Net;
            }
            if act.goes_away && observed.stage == Stage::Unanswered {
                return Observed { stage: Stage::Gone, ..observed };
            }
            let turn = order.iter().position(|ended| *ended == stream).map(|turn| turn + 1);
            Observed { turn, ..observed }
        };
        acts.iter().zip(begun).map(outcome).collect()
    }

    fn permit<'o>(&self, outcome: &'o Outcome) -> Option<&'o [u8]> {
        self.file.net.as_ref().and_then(|key| outcome.properties.filter_state(key))
    }

    fn observed(&self, outcome: &Outcome, permits: &[&[u8]]) -> Observed {
        let permit = self.permit(outcome);
        let permitted = self.file.net.is_none() || permit.is_some_and(|own| permits.contains(&own));
        let stage = match outcome.verdict() {
            Verdict::Forwarded if permitted => Stage::Through,
            Verdict::Forwarded => Stage::Net,
            Verdict::Replied { .. } => Stage::Answered,
            Verdict::Reset | Verdict::Held => Stage::Unanswered,
        };
        let received = outcome.received.clone().unwrap_or_default();
        let header = self.file.reason_header.as_deref().unwrap_or("x-deny-reason");
        Observed {
            status: if stage == Stage::Net {
                Some(403)
            } else {
                outcome.received.as_ref().map(Message::status)
            },
            reason: received.headers.text(header).filter(|_| stage == Stage::Answered),
            received,
            upstream: outcome.upstream.clone(),
            ..Observed::nothing(stage)
        }
    }
}

fn upstream(response: &Response) -> Upstream {
    let headers = response.headers.iter();
    let headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    match response.body.as_slice() {
        [] => Upstream::answers(response.status, &headers, ""),
        [whole] => Upstream::answers(response.status, &headers, whole.as_str()),
        pieces => Upstream::streams(response.status, &headers, pieces.iter().map(String::as_str)),
    }
}

/// What custody says beside its leases: its news (`GET /v1/sync`), and thank you for naming the sessions
/// in use (`POST /v1/seen`) and telling what became of a lease. A poll without news waits, and Envoy makes it a timeout.
fn beside(sync: &RefCell<SyncScript>, request: &CalloutRequest) -> Answer {
    if path_of(request).starts_with(SYNC) {
        return sync.borrow_mut().answer(request).unwrap_or(Answer::Never);
    }
    Answer::json(204, "")
}

fn path_of(request: &CalloutRequest) -> String {
    request.message.headers.text(":path").unwrap_or_default()
}

fn connecting(tunnel: &Tunnel) -> Message {
    let mut headers = HeaderMap::new();
    headers.add(":method", "CONNECT");
    headers.add(":authority", tunnel.authority.clone());
    for (name, value) in tunnel.headers.iter().filter_map(|line| line.split_once(':')) {
        headers.add(&name.to_ascii_lowercase(), value.trim());
    }
    if let Some(authorization) = &tunnel.authorization {
        headers.add("proxy-authorization", authorization.clone());
    }
    Message { headers, ..Message::default() }
}

/// What the inner listener's filter sees besides the request itself.
///
/// `session`: `%REQ(PROXY-AUTHORIZATION)%` behind the outer filter, the first value there is.
fn carried(tunnel: &Tunnel, session: Option<String>, request: Request) -> Request {
    let mut request = request.filter_state(CONNECT_AUTHORITY, tunnel.authority.clone());
    if let Some(session) = session {
        request = request.filter_state(CONNECT_SESSION, session);
    }
    match &tunnel.sni {
        Some(sni) => request.property(&["connection", "requested_server_name"], sni.clone()),
        None => request,
    }
}

fn cluster_of(config: Option<&Value>) -> String {
    let named = config.and_then(|config| config.pointer("/custody/cluster"));
    named.and_then(Value::as_str).unwrap_or("custody").to_owned()
}
