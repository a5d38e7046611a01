//! `custody status`

use super::remote::RemoteArguments;
use super::stdout;
use super::table::time;
use crate::admin::status::Status;
use anyhow::Result;
use std::fmt::Write;
use std::time::Duration;

pub fn run(arguments: &RemoteArguments) -> Result<()> {
    let remote = arguments.remote()?;
    let status: Status = remote.get(&["v1", "status"], &[])?;
    stdout::answer(remote.json(), &status, || for_people(&status))
}

fn for_people(status: &Status) -> String {
    let Status { version, started_at, uptime, ledger, audit, grants, credentials } = status;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:12} {value}");
    };
    let up = humantime::format_duration(Duration::from_secs(*uptime));
    line("custody", format!("{version}, up {up}, since {}", time(*started_at)));
    match (&ledger.counts, &ledger.fault) {
        (Some(counts), _) => {
            line(
                "kill switch",
                if counts.kill_switch { "ON: everything is denied" } else { "off" }.into(),
            );
            line("ledger", format!("{}, healthy", ledger.kind));
            line("leases", format!("{} of {} sessions", counts.leases, counts.sessions));
            line("revocations", counts.revocations.to_string());
        }
        (None, fault) => {
            let fault = fault.as_deref().unwrap_or("no answer");
            line("ledger", format!("{}, FAILING: {fault}; nothing is leased", ledger.kind));
        }
    }
    let state = if audit.healthy { "healthy" } else { "FAILING; nothing is leased or changed" };
    line("audit", format!("{state}, {} records, {} failures", audit.records, audit.failures));
    line("audit head", format!("{} {}", audit.head.seq, audit.head.hash));
    line("grants", format!("{}, digest {}", grants.grants, grants.digest));
    line(
        "credentials",
        credentials.map_or_else(|| "cannot be read".into(), |count| count.to_string()),
    );
    text
}
