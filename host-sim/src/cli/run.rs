//! `host-sim run`: one request, and everything about it.

use super::exit::{Exit, FAILED};
use super::settings::{self, Budgets, PluginSettings};
use super::stdout::print_line;
use clap::{ArgAction, Args};
use host_sim::cases::{
    Case, CaseFile, CaseRun, Connect, CustodyScript, Observed, Response, SessionSpec, Stage,
    read_yaml, run_case,
};
use host_sim::{Module, TranscriptEvent};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// With `${session}` and `${jwks}` in the files, the session is minted from the simulator's test key.
#[derive(Args)]
pub struct Run {
    /// The module.
    filter: PathBuf,
    /// The plugin configuration, YAML or JSON; the filter gets it as JSON.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    plugin: PluginSettings,
    #[command(flatten)]
    budgets: Budgets,
    /// The request: a line such as 'GET /path', or a file with HTTP/1.1 text.
    #[arg(long, value_name = "LINE or FILE")]
    request: String,
    /// One more header of the request, 'name: value'; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// The body of the request.
    #[arg(short = 'd', long = "data", value_name = "TEXT")]
    data: Option<String>,
    /// What the upstream answers: 200, or 200:body.
    #[arg(long, value_name = "STATUS:BODY")]
    response: Option<String>,
    /// A cluster that the filter may call, and its next answer: NAME=200:body, NAME=silence; may be repeated.
    #[arg(long, value_name = "NAME=ANSWER")]
    cluster: Vec<String>,
    /// Leasehold: what custody answers, a YAML list, as in cases.
    #[arg(long, value_name = "FILE")]
    custody: Option<PathBuf>,
    /// Leasehold: claims of the session, as JSON, laid over the ordinary ones.
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// Leasehold: a session token of your own, instead of a minted one; `none` for none.
    #[arg(long, value_name = "JWT", conflicts_with = "claims")]
    token: Option<String>,
    /// Leasehold: the CONNECT around the request; `none` for none.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// The server name of the client's TLS handshake.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// Show every callback; twice, every host call too.
    #[arg(short = 'v', action = ArgAction::Count)]
    verbose: u8,
    /// The same as -vv.
    #[arg(long)]
    trace: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

// === impl Run ===

impl Run {
    pub fn run(&self) -> Result<ExitCode, Exit> {
        let mut plugin = self.plugin.spec()?;
        self.budgets.apply(&mut plugin);
        let clusters = settings::clusters(&self.cluster)?;
        let file = CaseFile { config: self.config()?, plugin, clusters, ..CaseFile::default() };
        let case = Case {
            name: self.request.clone(),
            session: Some(self.session()?),
            custody: match &self.custody {
                Some(path) => Some(read::<CustodyScript>(path)?),
                None => Some(CustodyScript::Absent),
            },
            connect: self.connect.clone().map(Connect::Authority),
            sni: self.sni.clone(),
            request: Some(settings::request(&self.request, &self.headers, self.data.as_deref())?),
            response: self.response.as_deref().map(response).transpose()?,
            ..Case::default()
        };
        let module = Module::open(&self.filter)?;
        let run = run_case(&module, &file, &case)?;
        let observed = run.steps.first().and_then(|step| step.observed.first());
        let Some(observed) = observed else { return Ok(ExitCode::from(FAILED)) };
        if self.json {
            print_line!("{}", as_json(observed, &run))?;
        } else {
            self.print(observed, &run)?;
        }
        Ok(if observed.is_allowed() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }

    fn config(&self) -> Result<Option<Value>, Exit> {
        self.config.as_deref().map(read).transpose()
    }

    fn session(&self) -> Result<SessionSpec, Exit> {
        let token = self.token.clone();
        let Some(claims) = &self.claims else {
            return Ok(SessionSpec { token, ..SessionSpec::default() });
        };
        let claims: Map<String, Value> = serde_json::from_str(claims)
            .map_err(|error| Exit::malformed(format!("--claims: {error}")))?;
        Ok(SessionSpec { claims, ..SessionSpec::default() })
    }

    fn print(&self, observed: &Observed, run: &CaseRun) -> Result<(), Exit> {
        let transcript = run.host.transcript();
        let shows_calls = self.trace || self.verbose > 1;
        match self.trace || self.verbose > 0 {
            true => {
                for entry in transcript.entries() {
                    if shows_calls || !matches!(entry.what, TranscriptEvent::HostCall { .. }) {
                        print_line!("{entry}")?;
                    }
                }
            }
            false => {
                for (level, message) in transcript.logs() {
                    print_line!("log {level}: {message}")?;
                }
            }
        }
        print_line!("{}", observed.verdict())?;
        if observed.is_refused_before_filter {
            print_line!("  Envoy itself refuses the request: the filter does not see it")?;
        }
        if let (Stage::Through, Some(message)) = (observed.stage, &observed.upstream) {
            print_message("upstream", message)?;
        }
        print_message("guest", &observed.received)?;
        for failure in transcript.failures() {
            print_line!("the VM failed: {failure}")?;
        }
        Ok(())
    }
}

/// `200`, `200:body`.
fn response(text: &str) -> Result<Response, Exit> {
    let (status, body) = text.split_once(':').unwrap_or((text, ""));
    let status = status
        .parse()
        .map_err(|_| Exit::malformed(format!("--response {text:?}: write it as STATUS:BODY")))?;
    let body = if body.is_empty() { Vec::new() } else { vec![body.to_owned()] };
    Ok(Response { status, body, ..Response::default() })
}

fn text(path: &Path) -> Result<String, Exit> {
    fs::read_to_string(path).map_err(|error| Exit::unreadable(path, &error))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Exit> {
    read_yaml(&text(path)?)
        .map_err(|reason| Exit::malformed(format!("{}: {reason}", path.display())))
}

fn print_message(who: &str, message: &host_sim::Message) -> Result<(), Exit> {
    for (name, value) in message.headers.iter() {
        print_line!("  {who} < {name}: {}", String::from_utf8_lossy(value))?;
    }
    if !message.body.is_empty() {
        print_line!("  {who} < {}", message.body_text())?;
    }
    Ok(())
}

fn as_json(observed: &Observed, run: &CaseRun) -> Value {
    let transcript = run.host.transcript();
    let logs: Vec<Value> = transcript
        .logs()
        .map(|(level, message)| json!({"level": level.to_string(), "message": message}))
        .collect();
    let upstream = observed.upstream.as_ref().filter(|_| observed.is_allowed());
    json!({
        "verdict": observed.verdict(),
        "allowed": observed.is_allowed(),
        "reason": observed.reason,
        "status": observed.status,
        "upstream": upstream.map(message_json),
        "guest": message_json(&observed.received),
        "callouts": observed.callouts.len(),
        "host_calls": transcript.calls(),
        "logs": logs,
        "failures": transcript.failures().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn message_json(message: &host_sim::Message) -> Value {
    let headers: Vec<Value> = message
        .headers
        .iter()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
        .collect();
    json!({"headers": headers, "body": message.body_text()})
}
