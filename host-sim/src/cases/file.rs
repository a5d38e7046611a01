//! The shape of a file of cases.

use super::custody::duration;
use super::{
    CaseError, ClusterScripts, Connect, CustodyScript, Expect, IssuerScript, PluginSpec,
    SessionSpec, SyncStep, request_text,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Cases that share their defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "a file of cases: config, session, cases, ...")]
pub struct CaseFile {
    /// What this file is about; for readers.
    pub about: String,
    /// The plugin configuration, or the name of a file with it; none at all if absent.
    pub config: Option<Value>,
    /// The filter state object that the safety net behind the filter demands, such as
    /// `wasm.leasehold.permit`. Absent: no net.
    pub net: Option<String>,
    /// Which response header tells the reason of a denial.
    pub reason_header: Option<String>,
    /// How Envoy runs the plugin.
    pub plugin: PluginSpec,
    /// What the filter may call, by name.
    pub clusters: ClusterScripts,
    pub session: SessionSpec,
    pub custody: CustodyScript,
    pub cases: Vec<Case>,
}

/// A guest's story: one step, or several with time between them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Case {
    pub name: String,
    pub posture: Option<Posture>,
    /// Laid over the file's configuration as a merge patch (RFC 7396): null takes a field out.
    pub config: Option<Value>,
    pub session: Option<SessionSpec>,
    pub custody: Option<CustodyScript>,
    /// Workers the requests are spread over, a VM each.
    pub workers: Option<usize>,
    /// Why a real proxy cannot play it: its clock does not jump, nobody can say which worker takes a
    /// connection, its own checks stand in front of the filter's.
    #[serde(rename = "host-sim-only")]
    pub host_sim_only: Option<String>,
    /// Several steps; or else the fields of one, here in the case itself.
    pub steps: Vec<Step>,
    pub connect: Option<Connect>,
    pub sni: Option<String>,
    pub request: Option<String>,
    pub body: Vec<String>,
    pub response: Option<Response>,
    pub together: Vec<Stream>,
    pub expect: Option<Expect>,
}

/// One request, or several at once, after some time.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Time that passes first: `10m`, `1s`, `500ms`.
    pub advance: Option<String>,
    pub session: Option<SessionSpec>,
    pub custody: Option<CustodyScript>,
    /// What custody tells of revocations from here on.
    pub news: Option<SyncStep>,
    /// What the issuer publishes from here on, where `session.keys` are fetched from the cluster `issuer`.
    pub issuer: Option<IssuerScript>,
    pub connect: Option<Connect>,
    pub sni: Option<String>,
    /// Which worker's turn it is, from 0.
    pub worker: usize,
    /// As HTTP/1.1 text; absent where the step is a CONNECT and nothing else.
    pub request: Option<String>,
    /// The request's body in pieces, which come once its headers are with the filter, whatever that is
    /// waiting for. (A body in `request` itself comes right behind the headers.)
    pub body: Vec<String>,
    /// What the upstream answers.
    pub response: Option<Response>,
    /// In place of `request`: several on one connection, which are all with the filter, headers and
    /// bodies, before custody's first answer is. Those that go away have gone by then.
    pub together: Vec<Stream>,
    pub expect: Expect,
}

/// One of several requests at once.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stream {
    pub session: Option<SessionSpec>,
    pub request: Option<String>,
    pub body: Vec<String>,
    pub response: Option<Response>,
    /// The guest resets it.
    pub goes_away: bool,
    /// `callouts` and `custody` in it are about the whole step.
    pub expect: Expect,
}

/// What an upstream answers: 200 and nothing else, as far as a case does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    /// In pieces.
    pub body: Vec<String>,
}

/// How the guest reaches the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posture {
    /// A CONNECT, and the request inside it.
    Explicit,
    /// The request alone; the session in `x-leasehold-session` unless the case puts it elsewhere.
    Gateway,
    /// The request alone, exactly as written.
    Plain,
}

// === impl CaseFile ===

impl CaseFile {
    pub fn open(path: &Path) -> Result<Self, CaseError> {
        let text = fs::read_to_string(path).map_err(|error| CaseError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        let malformed = |reason| CaseError::Malformed { path: path.to_owned(), reason };
        let mut file = Self::parse(&text).map_err(malformed)?;
        if let Some(Value::String(policy)) = &file.config {
            let policy = path.parent().unwrap_or(Path::new(".")).join(policy);
            let text = fs::read_to_string(&policy)
                .map_err(|error| malformed(format!("config: {}: {error}", policy.display())))?;
            let config = read_yaml(&text)
                .map_err(|reason| malformed(format!("{}: {reason}", policy.display())))?;
            file.config = Some(config);
        }
        Ok(file)
    }

    /// # Errors
    /// One line that says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Self = read_yaml(text)?;
        for (n, case) in file.cases.iter().enumerate() {
            if case.name.is_empty() {
                return Err(format!("cases[{n}].name: a case needs a name"));
            }
            case.check().map_err(|reason| format!("cases[{n}] ({}): {reason}", case.name))?;
        }
        Ok(file)
    }
}

/// Reads YAML (or JSON, which is YAML too) with anchors and merge keys.
///
/// # Errors
/// Line and column of what is no YAML; the path of a field that should not be there or so.
pub fn read_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let mut yaml: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
    yaml.apply_merge().map_err(|error| error.to_string())?;
    let value = serde_json::to_value(yaml).map_err(|error| error.to_string())?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) }
    })
}

// === impl Case ===

impl Case {
    fn check(&self) -> Result<(), &'static str> {
        let inline = self.request.is_some()
            || self.connect.is_some()
            || self.expect.is_some()
            || !self.together.is_empty();
        match (inline, self.steps.is_empty()) {
            (true, false) => Err("either steps, or request, connect and expect in the case itself"),
            (false, true) => Err("nothing happens in it: give it a request or steps"),
            (true, true) if self.expect.is_none() && self.together.is_empty() => {
                Err("expect: say what must come of it")
            }
            _ => self.steps().iter().try_for_each(Step::check),
        }
    }

    /// The steps, however they were written.
    pub fn steps(&self) -> Vec<Step> {
        if !self.steps.is_empty() {
            return self.steps.clone();
        }
        vec![Step {
            connect: self.connect.clone(),
            sni: self.sni.clone(),
            request: self.request.clone(),
            body: self.body.clone(),
            response: self.response.clone(),
            together: self.together.clone(),
            expect: self.expect.clone().unwrap_or_default(),
            ..Step::default()
        }]
    }
}

// === impl Step ===

impl Step {
    fn check(&self) -> Result<(), &'static str> {
        if !self.together.is_empty() && self.request.is_some() {
            return Err("together: the requests stand in it, none beside it");
        }
        for stream in self.streams() {
            let request = stream.request.as_deref();
            if request.is_none() && (!self.together.is_empty() || !stream.body.is_empty()) {
                return Err("together, body: without a request");
            }
            let has_body = |text| !request_text::split_head(text).1.is_empty();
            if !stream.body.is_empty() && request.is_some_and(has_body) {
                return Err("body: the request has one of its own");
            }
        }
        Ok(())
    }

    /// The time that passes first.
    ///
    /// # Errors
    /// It is not a duration.
    pub fn wait(&self) -> Result<Duration, String> {
        self.advance.as_deref().map_or(Ok(Duration::ZERO), duration)
    }

    /// The requests, however they were written.
    pub fn streams(&self) -> Vec<Stream> {
        if !self.together.is_empty() {
            return self.together.clone();
        }
        vec![Stream {
            session: None,
            request: self.request.clone(),
            body: self.body.clone(),
            response: self.response.clone(),
            goes_away: false,
            expect: self.expect.clone(),
        }]
    }
}

// === impl Response ===

impl Default for Response {
    fn default() -> Self {
        Self { status: 200, headers: BTreeMap::new(), body: Vec::new() }
    }
}

// === impl Posture ===

impl Posture {
    /// What a configuration says about itself; an allow-list without a posture is explicit.
    pub fn of_config(config: Option<&Value>) -> Self {
        match config.and_then(|config| config.get("posture")).and_then(Value::as_str) {
            Some("gateway") => Self::Gateway,
            Some("explicit") => Self::Explicit,
            _ if config.is_some_and(|config| config.get("destinations").is_some()) => {
                Self::Explicit
            }
            _ => Self::Plain,
        }
    }
}
