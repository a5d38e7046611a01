//! `custody grants`

use super::failure::{NotGranted, Usage};
use super::remote::RemoteArguments;
use super::stdout;
use crate::admin::check::{AskedBinding, Question, Verdict};
use crate::admin::grants::GrantsInForce;
use anyhow::Result;
use clap::{Args, Subcommand};
use custody_base::outbound::Method;
use serde_json::{Map, Value};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Would a session with these claims be leased this? Nothing is leased.
    Check(Check),
    /// Read the grants again: all of them, or, if one has a fault, none.
    Reload(RemoteArguments),
}

#[derive(Debug, Args)]
#[command(after_help = "Exit code 4: not granted.\n\n\
    Examples:\n  \
    custody grants check github-ci api.github.com --claim team=build\n  \
    custody grants check llm api.llm.example POST --claims '{\"roles\": [\"agent\"]}'")]
pub struct Check {
    handle: String,
    /// As in api.github.com, or with a port.
    destination: String,
    #[arg(default_value = "GET")]
    method: String,
    /// A claim of the session; may be repeated. A value that reads as JSON is JSON, the rest is text.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// All claims as one JSON object.
    #[arg(long = "claims", value_name = "JSON")]
    object: Option<String>,
    /// A lease for one operation only.
    #[arg(long)]
    single_use: bool,
    #[command(flatten)]
    remote: RemoteArguments,
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Check(check) => run_check(check),
        Command::Reload(remote) => {
            let remote = remote.remote()?;
            let path = ["v1", "grants", "reload"];
            let grants: GrantsInForce = remote.send(Method::POST, &path, None)?;
            stdout::answer(remote.json(), &grants, || {
                format!("{} grants in force, digest {}\n", grants.grants, grants.digest)
            })
        }
    }
}

fn run_check(check: &Check) -> Result<()> {
    let binding = if check.single_use { AskedBinding::SingleUse } else { AskedBinding::Session };
    let question = Question {
        claims: claims_of(&check.claims, check.object.as_deref())?,
        handle: check.handle.clone(),
        destination: check.destination.clone(),
        method: check.method.clone(),
        binding,
    };
    let remote = check.remote.remote()?;
    let path = ["v1", "grants", "check"];
    let question = serde_json::to_value(&question)?;
    let verdict: Verdict = remote.send(Method::POST, &path, Some(&question))?;
    stdout::answer(remote.json(), &verdict, || match (&verdict.grant, verdict.granted) {
        (Some(grant), true) => {
            format!("granted: {}, for {} s, as actor {}\n", verdict.detail, grant.ttl, grant.actor)
        }
        _ => format!("not granted ({}): {}\n", verdict.why, verdict.detail),
    })?;
    if verdict.granted { Ok(()) } else { Err(NotGranted.into()) }
}

fn claims_of(pairs: &[String], object: Option<&str>) -> Result<Map<String, Value>> {
    let mut claims: Map<String, Value> = match object {
        None => Map::new(),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Usage(format!("--claims: is a JSON object: {error}")))?,
    };
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Usage(format!("--claim {pair}: is NAME=VALUE")).into());
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        claims.insert(name.to_owned(), value);
    }
    Ok(claims)
}
