//! `cargo xtask clients`: real clients as guests, each in its newest version, against one API: does an allowed request
//! work, and what does a denied one show its user?

mod answers;
mod catalog;
mod guest;
mod policies;
mod table;

use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};
use stack::client_packages::ClientPackages;
use stack::clients::Clients as Runtimes;
use stack::origin::{OriginSettings, Repositories, Seen};
use stack::progress::Progress;
use stack::{Stack, StackBuilder, hex};

use crate::cargo;
use crate::command;
use crate::interrupt::Interrupt;
use catalog::Client;
use guest::{Guest, Hosts};
use table::{Row, Verdict};

#[derive(Args)]
pub struct Clients {
    /// Only clients whose name holds one of these
    names: Vec<String>,
    /// Print the names of the clients and end
    #[arg(long)]
    list: bool,
    /// Run each client this often; the table has the worst of it
    #[arg(long, value_name = "N", default_value_t = NonZeroU16::MIN)]
    runs: NonZeroU16,
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

/// What must arrive at a destination with a credential.
struct Lease<'l> {
    policy: &'l Value,
    secret: &'l str,
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
        let policy = policies::all()?;
        let mut origin = OriginSettings::new(policies::hosts(&policy));
        origin.repositories = Some(Repositories { folder: repositories, below: "acme" });
        let builder = Stack::builder().policy(policy.clone()).origin(origin).refuse_in_tunnel();
        let credentials = policies::credentials(&policy, &secret).into_iter();
        let stack =
            credentials.fold(builder, StackBuilder::credential).start_telling(&mut progress)?;
        answers::script(stack.origin()?, &runtimes, folder.path())?;
        let lease = Lease { policy: &policy, secret: &secret };
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
                .and_then(|guest| self.worst(&guest, &stack, &lease))
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

    fn worst<'c>(&self, guest: &Guest<'c>, stack: &Stack, lease: &Lease<'_>) -> Result<Row<'c>> {
        let first = row(guest, stack, lease)?;
        (1..self.runs.get())
            .try_fold(first, |worst, _| Ok(worst.or_worse(row(guest, stack, lease)?)))
    }

    fn report(&self, rows: &[Row<'_>]) -> Result<()> {
        if self.json {
            println!("{:#}", json!(rows.iter().map(Row::json).collect::<Vec<_>>()));
            return Ok(());
        }
        println!("{}", table::for_people(rows));
        for row in rows {
            if let Some(output) = row.complaint() {
                println!("{}:\n{output}\n", row.client.name);
            }
        }
        if self.write {
            println!("wrote {}", table::write(rows)?.display());
        }
        Ok(())
    }
}

/// An allowed call, which must arrive, and the same call of a host that is not listed, which must not. What arrives at
/// a destination with a credential holds the lease.
fn row<'c>(guest: &Guest<'c>, stack: &Stack, lease: &Lease<'_>) -> Result<Row<'c>> {
    let origin = stack.origin()?;
    let before = origin.requests().len();
    let allowed = guest.call(stack, Hosts::Named { port: origin.port() })?;
    let arrived = origin.requests();
    let came = arrived.get(before..).unwrap_or_default();
    let is_without_lease = |seen: &Seen| {
        policies::takes_credential(lease.policy, &seen.host) && !holds(seen, lease.secret)
    };
    let denied = guest.call(stack, Hosts::Unlisted)?;
    if origin.requests().len() > arrived.len() {
        bail!("a denied request of {} arrived", guest.client.name);
    }
    let verdict = if came.is_empty() || came.iter().any(is_without_lease) {
        Verdict::NotArrived
    } else if allowed.is_success {
        Verdict::Works
    } else {
        Verdict::Fails
    };
    let (client, version) = (guest.client, guest.version.clone());
    Ok(Row { client, version, verdict, calls: Some([allowed, denied]) })
}

/// As it is, or within Basic credentials.
fn holds(seen: &Seen, secret: &str) -> bool {
    let basic = STANDARD.encode(format!("{}:{secret}", policies::GIT_USER));
    let is_lease =
        |value: &[u8]| value.ends_with(secret.as_bytes()) || value.ends_with(basic.as_bytes());
    seen.headers().any(|(_, value)| is_lease(value))
}
