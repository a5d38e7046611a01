//! `cargo xtask clients`: real clients as guests, each in its newest version, against one API: does an allowed request
//! work, and what does a denied one show its user?

mod answers;
mod catalog;
mod guest;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::json;
use stack::client_packages::ClientPackages;
use stack::clients::Clients as Runtimes;
use stack::origin::{OriginSettings, Seen};
use stack::policy::{ORIGIN_PORT, OTHER_HOST};
use stack::progress::Progress;
use stack::{Credential, Stack, StackBuilder, hex};

use crate::cargo;
use crate::command;
use crate::interrupt::Interrupt;
use catalog::Client;
use guest::Guest;
use table::{Row, Verdict};

/// The API that the guests may call.
const API: &str = "api.demo.test";
/// Repositories, whose server rejects a bearer token, as GitHub does.
const GIT: &str = "git.demo.test";
const HANDLE: &str = "clients";
const GIT_HANDLE: &str = "clients-git";
const GIT_USER: &str = "x-access-token";

#[derive(Args)]
pub struct Clients {
    /// Only clients whose name holds one of these
    names: Vec<String>,
    /// Print the names of the clients and end
    #[arg(long)]
    list: bool,
    /// Print the table as JSON
    #[arg(long, conflicts_with = "write")]
    json: bool,
    /// Fetch every client again, in its newest version
    #[arg(long)]
    refresh: bool,
    /// Write the table into docs/clients.md, with today's date
    #[arg(long)]
    write: bool,
}

// === impl Clients ===

impl Clients {
    pub fn run(self) -> Result<ExitCode> {
        let clients = self.chosen()?;
        if self.list {
            clients.iter().for_each(|client| println!("{}", client.name));
            return Ok(ExitCode::SUCCESS);
        }
        let interrupt = Interrupt::listen()?;
        let mut progress =
            Progress::new(cargo::BUILD_STEPS + 1 + StackBuilder::STEPS + clients.len());
        cargo::build(&mut progress)?;
        let runtimes = command::run_fetch(
            &mut progress,
            "Python and Node",
            |_| Runtimes::fetch(),
            |_| String::new(),
        )?;
        let secret = hex(24)?;
        let folder = tempfile::tempdir().context("a folder for the guests")?;
        let repositories = answers::repositories(folder.path())?;
        let mut origin = OriginSettings::new([API, GIT]);
        origin.repositories = Some(repositories);
        let stack = Stack::builder()
            .policy(policy())
            .origin(origin)
            .credential(Credential::bearer(HANDLE, &secret))
            .credential(Credential::with(
                GIT_HANDLE,
                &["--type", "basic", "--user", GIT_USER],
                &secret,
            ))
            .refuse_in_tunnel()
            .start_telling(&mut progress)?;
        let [authority, _] = authorities(&stack)?;
        answers::script(stack.origin()?, &authority, &runtimes, folder.path())?;
        let mut rows = Vec::new();
        for client in &clients {
            if interrupt.wait(Duration::ZERO) {
                bail!("interrupted");
            }
            let mut step = progress.step(client.name.clone());
            let packages = ClientPackages::of(&runtimes, &client.name)?;
            if self.refresh {
                packages.remove()?;
            }
            let row = Guest::fetch(client, &packages, &runtimes, &mut step)
                .and_then(|guest| row(&guest, &stack, &secret))
                .unwrap_or_else(|error| Row::not_tried(client, format!("{error:#}")));
            step.finish_with(&row.summary());
            rows.push(row);
        }
        self.report(&rows)?;
        stack.stop()?;
        let failed = rows.iter().any(|row| !matches!(row.verdict, Verdict::Works));
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn chosen(&self) -> Result<Vec<Client>> {
        let wanted = |client: &Client| {
            let name = client.name.to_lowercase();
            self.names.is_empty()
                || self.names.iter().any(|part| name.contains(&part.to_lowercase()))
        };
        let clients: Vec<_> = catalog::read()?.into_iter().filter(wanted).collect();
        if clients.is_empty() {
            bail!("no client is called {}; --list prints the names", self.names.join(" or "));
        }
        Ok(clients)
    }

    fn report(&self, rows: &[Row]) -> Result<()> {
        if self.json {
            println!("{:#}", json!(rows.iter().map(Row::json).collect::<Vec<_>>()));
            return Ok(());
        }
        println!("{}", table::for_people(rows));
        for row in rows {
            if let Some(output) = row.complaint() {
                println!("{}:\n{output}\n", row.client);
            }
        }
        if self.write {
            println!("wrote {}", table::write(rows)?.display());
        }
        Ok(())
    }
}

/// Two destinations on which everything is allowed: the clients are tried, not the policy.
fn policy() -> serde_json::Value {
    let destination = |host: &str, handle: &str| {
        json!({
            "name": handle,
            "hosts": [host],
            "ports": [ORIGIN_PORT],
            "allow": [{
                "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
                "paths": ["/**"],
                "upgrades": ["websocket"],
            }],
            "sessions": {"claims": {"team": ["demo"]}},
            "credential": {"handle": handle},
        })
    };
    json!({"destinations": [destination(API, HANDLE), destination(GIT, GIT_HANDLE)]})
}

/// Of the API and of the repositories.
fn authorities(stack: &Stack) -> Result<[String; 2]> {
    let port = stack.origin()?.port();
    Ok([API, GIT].map(|host| format!("{host}:{port}")))
}

/// An allowed call, which must arrive with the lease, and the same call of a host that is not listed.
fn row(guest: &Guest<'_>, stack: &Stack, secret: &str) -> Result<Row> {
    let origin = stack.origin()?;
    let before = origin.requests().len();
    let [api, git] = authorities(stack)?;
    let allowed = guest.call(stack, &api, &git)?;
    let basic = STANDARD.encode(format!("{GIT_USER}:{secret}"));
    let leases = [format!("Bearer {secret}"), format!("Basic {basic}")];
    let is_leased = |seen: &Seen| {
        leases.iter().any(|lease| seen.authorization().as_deref() == Some(lease.as_bytes()))
    };
    let arrived = origin.requests();
    let leased = arrived.iter().skip(before).any(is_leased);
    let before = arrived.len();
    let denied = guest.call(stack, OTHER_HOST, OTHER_HOST)?;
    if origin.requests().len() > before {
        bail!("a denied request of {} arrived", guest.client.name);
    }
    let verdict = match (allowed.is_success, leased) {
        (true, true) => Verdict::Works,
        (_, false) => Verdict::NotArrived,
        (false, true) => Verdict::Fails,
    };
    Ok(Row::new(guest.client, guest.version.clone(), verdict, allowed, denied))
}
