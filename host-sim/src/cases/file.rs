//! The shape of a file of cases.

use super::{CaseError, Connect, CustodyScript, Expect, SessionSpec};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Cases that share their defaults.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
    pub expect: Option<Expect>,
}

/// One request, after some time.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Time that passes first: `10m`, `1s`, `500ms`.
    pub advance: Option<String>,
    pub session: Option<SessionSpec>,
    pub custody: Option<CustodyScript>,
    pub connect: Option<Connect>,
    pub sni: Option<String>,
    /// Which worker's turn it is, from 0.
    pub worker: usize,
    /// As HTTP/1.1 text; absent where the step is a CONNECT and nothing else.
    pub request: Option<String>,
    pub expect: Expect,
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
        let inline = self.request.is_some() || self.connect.is_some() || self.expect.is_some();
        match (inline, self.steps.is_empty()) {
            (true, false) => Err("either steps, or request, connect and expect in the case itself"),
            (false, true) => Err("nothing happens in it: give it a request or steps"),
            (true, true) if self.expect.is_none() => Err("expect: say what must come of it"),
            _ => Ok(()),
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
            expect: self.expect.clone().unwrap_or_default(),
            ..Step::default()
        }]
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
