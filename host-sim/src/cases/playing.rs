//! Playing a case on the simulator.

use super::custody::duration;
use super::error::CaseError;
use super::expect::Difference;
use super::file::{Case, CaseFile, Posture, Step};
use super::session::SessionSpec;
use super::template::Template;
use super::tunnel::{CONNECT_AUTHORITY, CONNECT_SESSION, Tunnel};
use super::{CustodyScript, request_text};
use crate::builder::Builder;
use crate::exchange::Message;
use crate::host::Host;
use crate::module::Module;
use crate::outcome::{Outcome, Verdict};
use crate::request::Request;
use crate::script::Cluster;
use crate::vm::Plugin;
use serde_json::Value;
use std::collections::BTreeMap;

/// A case that was played.
pub struct Played {
    pub steps: Vec<PlayedStep>,
    /// The simulation as it ended, for whoever wants to look closer.
    pub host: Host,
}

pub struct PlayedStep {
    pub observed: Observed,
    pub differences: Vec<Difference>,
    /// Guest instructions this step took.
    pub fuel: u64,
    /// Host calls this step made, by name.
    pub calls: BTreeMap<&'static str, u64>,
}

/// What could be seen of a step from outside.
#[derive(Clone, Debug)]
pub struct Observed {
    /// How far the guest got.
    pub stage: Stage,
    pub status: Option<u16>,
    pub reason: Option<String>,
    /// What the guest got.
    pub received: Message,
    /// What the filter let go to the upstream.
    pub upstream: Option<Message>,
    /// Bodies of the requests to custody.
    pub callouts: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The filter answered the CONNECT or the request.
    Answered,
    /// The filter let it through and the net behind it did not.
    Net,
    /// It reached the upstream; a CONNECT alone opened its tunnel.
    Through,
    /// Nobody answered.
    Unanswered,
}

/// What the safety net wants to see of a CONNECT and of a request.
const PERMIT_CONNECT: &[u8] = b"connect";
const PERMIT_REQUEST: &[u8] = b"request";
const SESSION_HEADER: &str = "x-leasehold-session";

struct Player<'a> {
    file: &'a CaseFile,
    case: &'a Case,
    posture: Posture,
    cluster: String,
    host: Host,
}

/// Plays a case from its first step to its last.
///
/// # Errors
/// The case makes no sense, or the module does not start.
pub fn play(module: &Module, file: &CaseFile, case: &Case) -> Result<Played, CaseError> {
    play_with(module, file, case, |builder| builder)
}

/// The same, on a simulation that is set up otherwise (faults, recording).
///
/// # Errors
/// As [`play`].
pub fn play_with(
    module: &Module,
    file: &CaseFile,
    case: &Case,
    adjust: impl FnOnce(Builder) -> Builder,
) -> Result<Played, CaseError> {
    let fail = |reason: String| CaseError::case(&case.name, reason);
    let config = merged(file.config.clone(), case.config.as_ref());
    let posture = case.posture.unwrap_or_else(|| Posture::of_config(config.as_ref()));
    let cluster = cluster_of(config.as_ref());
    let template = Template::new(crate::Instant::default().unix_seconds(), String::new());
    let mut plugin = Plugin::new(module).allow_on_headers_stop_iteration(true);
    if let Some(config) = &config {
        plugin = plugin.configuration(template.value(config).map_err(fail)?.to_string());
    }
    let builder = Host::builder().plugin(plugin).workers(case.workers.unwrap_or(1).max(1));
    let host = adjust(builder).start();
    let host = host.map_err(|error| CaseError::Module { case: case.name.clone(), error })?;
    let mut player = Player { file, case, posture, cluster, host };
    let mut steps = Vec::new();
    for (n, step) in case.steps().iter().enumerate() {
        let script = step
            .custody
            .as_ref()
            .or_else(|| (n == 0).then(|| case.custody.as_ref().unwrap_or(&file.custody)));
        steps.push(player.step(step, script).map_err(fail)?);
    }
    Ok(Played { steps, host: player.host })
}

// === impl Player ===

impl Player<'_> {
    fn step(&mut self, step: &Step, script: Option<&CustodyScript>) -> Result<PlayedStep, String> {
        if let Some(wait) = &step.advance {
            self.host.advance(duration(wait)?);
        }
        let template = self.template(step)?;
        if let Some(script) = script
            && let Some(answers) = script.answers(&template)?
        {
            self.host.set_cluster(&self.cluster, Cluster::answering(answers));
        }
        let before = self.host.callouts(&self.cluster).len();
        let (fuel, calls) = self.spent();
        let mut observed = self.exchange(step, &template)?;
        let asked = self.host.callouts(&self.cluster).into_iter().skip(before);
        observed.callouts = asked.map(|request| request.message.body).collect();
        let differences = step.expect.compare(&observed, &template)?;
        let (fuel_after, mut calls_after) = self.spent();
        for (name, n) in calls {
            calls_after.entry(name).and_modify(|after| *after -= n);
        }
        calls_after.retain(|_, n| *n > 0);
        Ok(PlayedStep { observed, differences, fuel: fuel_after - fuel, calls: calls_after })
    }

    fn spent(&self) -> (u64, BTreeMap<&'static str, u64>) {
        let transcript = self.host.transcript();
        (transcript.fuel(), transcript.calls().clone())
    }

    fn template(&self, step: &Step) -> Result<Template, String> {
        let spec = step.session.as_ref().or(self.case.session.as_ref());
        let spec = spec.unwrap_or(&self.file.session);
        let now = self.host.now().unix_seconds();
        let plain = Template::new(now, String::new());
        let filled = |map: &serde_json::Map<String, Value>| {
            let filled = plain.value(&Value::Object(map.clone()))?;
            Ok::<_, String>(filled.as_object().cloned().unwrap_or_default())
        };
        let spec = SessionSpec {
            claims: filled(&spec.claims)?,
            header: filled(&spec.header)?,
            token: spec.token.as_deref().map(|token| plain.text(token)).transpose()?,
            ..spec.clone()
        };
        Ok(Template { session: spec.mint(now), ..plain })
    }

    /// CONNECT first, where there is one, and the request if that was let through.
    fn exchange(&mut self, step: &Step, template: &Template) -> Result<Observed, String> {
        let message = match &step.request {
            Some(text) => Some(self.message(text, template)?),
            None => None,
        };
        let tunnel = self.tunnel(step, message.as_ref(), template)?;
        if let Some(tunnel) = tunnel.as_ref().filter(|tunnel| tunnel.checked) {
            let outcome = self.host.exchange(tunnel.request().on_worker(step.worker));
            let observed = self.observed(&outcome, PERMIT_CONNECT);
            if !observed.is_allowed() || message.is_none() {
                return Ok(observed);
            }
        }
        let message = message.ok_or("neither a request nor a CONNECT that is checked")?;
        let mut request = Request::from_message(message).on_worker(step.worker);
        if let Some(tunnel) = tunnel {
            request = tunnel.carried(request);
        } else if let Some(sni) = &step.sni {
            request = request.property(&["connection", "requested_server_name"], sni.as_str());
        }
        let outcome = self.host.exchange(request);
        Ok(self.observed(&outcome, PERMIT_REQUEST))
    }

    fn message(&self, text: &str, template: &Template) -> Result<Message, String> {
        let mut message = request_text::parse(&template.text(text)?)?;
        let placed = text.contains("${session}") || text.contains("${basic}");
        if self.posture == Posture::Gateway && !placed && !template.session.is_empty() {
            message.headers.add(SESSION_HEADER, template.session.clone());
        }
        Ok(message)
    }

    fn tunnel(
        &self,
        step: &Step,
        message: Option<&Message>,
        template: &Template,
    ) -> Result<Option<Tunnel>, String> {
        if step.connect.as_ref().is_some_and(super::Connect::is_none) {
            return Ok(None);
        }
        let connect = match (&step.connect, self.posture) {
            (Some(connect), _) => connect.clone(),
            (None, Posture::Explicit) => {
                let authority = message.and_then(|message| message.headers.text(":authority"));
                super::Connect::Authority(with_port(&authority.unwrap_or_default()))
            }
            (None, _) => return Ok(None),
        };
        let full = connect.full();
        let authority = template.text(&full.authority)?;
        let in_request = step.request.as_ref().is_some_and(|text| text.contains("${session}"));
        let authorization = match full.authorization.as_deref() {
            Some("none") => None,
            Some(text) => Some(template.text(text)?),
            None if in_request || template.session.is_empty() => None,
            None => Some(template.text("Basic ${basic}")?),
        };
        let sni = match step.sni.as_deref() {
            Some("none") => None,
            Some(sni) => Some(sni.to_owned()),
            None => Some(host_of(&authority)),
        };
        Ok(Some(Tunnel { authority, authorization, checked: full.checked, sni }))
    }

    fn observed(&self, outcome: &Outcome, permit: &[u8]) -> Observed {
        let permitted = match &self.file.net {
            Some(key) => outcome.properties.filter_state(key) == Some(permit),
            None => true,
        };
        let stage = match outcome.verdict() {
            Verdict::Forwarded if permitted => Stage::Through,
            Verdict::Forwarded => Stage::Net,
            Verdict::Replied { .. } => Stage::Answered,
            Verdict::Reset | Verdict::Held => Stage::Unanswered,
        };
        let received = outcome.received.clone().unwrap_or_default();
        let header = self.file.reason_header.as_deref().unwrap_or("x-deny-reason");
        Observed {
            stage,
            status: if stage == Stage::Net {
                Some(403)
            } else {
                outcome.received.as_ref().map(Message::status)
            },
            reason: received.headers.text(header).filter(|_| stage == Stage::Answered),
            received,
            upstream: outcome.upstream.clone(),
            callouts: Vec::new(),
        }
    }
}

// === impl Tunnel ===

impl Tunnel {
    /// The CONNECT as the outer listener's filter sees it.
    fn request(&self) -> Request {
        let mut headers = crate::HeaderMap::new();
        headers.add(":method", "CONNECT");
        headers.add(":authority", self.authority.clone());
        if let Some(authorization) = &self.authorization {
            headers.add("proxy-authorization", authorization.clone());
        }
        Request::from_message(Message { headers, ..Message::default() })
    }

    /// What the inner listener's filter sees besides the request itself.
    fn carried(&self, request: Request) -> Request {
        let mut request = request.filter_state(CONNECT_AUTHORITY, self.authority.clone());
        if let Some(authorization) = &self.authorization {
            request = request.filter_state(CONNECT_SESSION, authorization.clone());
        }
        match &self.sni {
            Some(sni) => request.property(&["connection", "requested_server_name"], sni.clone()),
            None => request,
        }
    }
}

fn cluster_of(config: Option<&Value>) -> String {
    let named = config.and_then(|config| config.pointer("/custody/cluster"));
    named.and_then(Value::as_str).unwrap_or("custody").to_owned()
}

fn with_port(authority: &str) -> String {
    let behind_brackets = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    if behind_brackets.contains(':') { authority.to_owned() } else { format!("{authority}:443") }
}

fn host_of(authority: &str) -> String {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned()
}

/// RFC 7396.
fn merged(base: Option<Value>, patch: Option<&Value>) -> Option<Value> {
    let Some(patch) = patch else { return base };
    let mut merged = base.unwrap_or_default();
    merge(&mut merged, patch);
    Some(merged)
}

fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(serde_json::Map::new());
    }
    let Some(fields) = base.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}
