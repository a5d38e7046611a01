//! `host-sim run`: one request, and everything about it.

use super::exit::{Exit, FAILED};
use super::stdout::print_line;
use clap::Args;
use host_sim::Module;
use host_sim::cases::{
    Case, CaseFile, CaseRun, Connect, CustodyScript, Observed, SessionSpec, Stage, read_yaml,
    run_case,
};
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
    /// The plugin configuration, YAML or JSON.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The request as HTTP/1.1 text.
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// What custody answers: a YAML list, as in cases.
    #[arg(long, value_name = "FILE")]
    custody: Option<PathBuf>,
    /// Claims of the session, as JSON, laid over the ordinary ones.
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// A session token of your own, instead of a minted one; `none` for none.
    #[arg(long, value_name = "JWT", conflicts_with = "claims")]
    token: Option<String>,
    /// The CONNECT around the request; `none` for none.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// The server name of the guest's TLS handshake.
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// Show every host call.
    #[arg(long)]
    trace: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

// === impl Run ===

impl Run {
    pub fn run(&self) -> Result<ExitCode, Exit> {
        let file = CaseFile { config: self.config()?, ..CaseFile::default() };
        let case = Case {
            name: self.request.display().to_string(),
            session: Some(self.session()?),
            custody: match &self.custody {
                Some(path) => Some(read::<CustodyScript>(path)?),
                None => Some(CustodyScript::Absent),
            },
            connect: self.connect.clone().map(Connect::Authority),
            sni: self.sni.clone(),
            request: Some(text(&self.request)?),
            ..Case::default()
        };
        let module = Module::open(&self.filter)?;
        let run = run_case(&module, &file, &case)?;
        let observed = run.steps.first().and_then(|step| step.observed.first());
        let Some(observed) = observed else { return Ok(ExitCode::from(FAILED)) };
        if self.json {
            print_line!("{}", as_json(observed, &run))?;
        } else {
            print(observed, &run, self.trace)?;
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
}

fn text(path: &Path) -> Result<String, Exit> {
    fs::read_to_string(path).map_err(|error| Exit::unreadable(path, &error))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Exit> {
    read_yaml(&text(path)?)
        .map_err(|reason| Exit::malformed(format!("{}: {reason}", path.display())))
}

fn print(observed: &Observed, run: &CaseRun, trace: bool) -> Result<(), Exit> {
    if trace {
        print_line!("{}", run.host.transcript())?;
    } else {
        for (level, message) in run.host.transcript().logs() {
            print_line!("log {level}: {message}")?;
        }
    }
    print_line!("{}", observed.verdict())?;
    if let (Stage::Through, Some(message)) = (observed.stage, &observed.upstream) {
        print_message("upstream", message)?;
    }
    if observed.stage == Stage::Answered {
        print_message("guest", &observed.received)?;
    }
    for failure in run.host.transcript().failures() {
        print_line!("the VM failed: {failure}")?;
    }
    Ok(())
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
