//! `custody leases` and `custody sessions`

use super::remote::RemoteArguments;
use super::stdout;
use super::table::{plain, table, time};
use crate::admin::leases::{LeaseList, LeaseShown};
use crate::admin::sessions::SessionList;
use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    custody leases\n  \
    custody leases --handle github-ci --all --limit 1000 --json | jq -r '.leases[].lease_id'")]
pub struct LeasesArguments {
    /// Only leases of this session (ISSUER#ID; with one issuer, ID is enough).
    #[arg(long)]
    session: Option<String>,
    /// Only this lease.
    #[arg(long)]
    lease: Option<String>,
    #[arg(long)]
    handle: Option<String>,
    #[arg(long)]
    actor: Option<String>,
    /// Also those that have ended.
    #[arg(long)]
    all: bool,
    /// At most so many, those that end last first.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    remote: RemoteArguments,
}

pub fn run(arguments: &LeasesArguments) -> Result<()> {
    let LeasesArguments { session, lease, handle, actor, all, limit, remote } = arguments;
    let (all, limit) = (all.to_string(), limit.to_string());
    let mut query = vec![("all", all.as_str()), ("limit", limit.as_str())];
    for (name, value) in
        [("session", session), ("lease", lease), ("handle", handle), ("actor", actor)]
    {
        query.extend(value.as_deref().map(|value| (name, value)));
    }
    let remote = remote.remote()?;
    let list: LeaseList = remote.get(&["v1", "leases"], &query)?;
    stdout::answer(remote.json(), &list, || {
        if list.leases.is_empty() {
            return "no leases\n".into();
        }
        let rows: Vec<_> = list
            .leases
            .iter()
            .map(|lease| {
                [
                    lease.lease_id.clone(),
                    lease.handle.clone(),
                    lease.actor.clone(),
                    lease.destination.clone(),
                    plain(&lease.session),
                    plain(&lease.subject),
                    lease.binding.clone(),
                    time(lease.expires_at),
                    outcome_of(lease),
                ]
            })
            .collect();
        let heads = [
            "LEASE",
            "HANDLE",
            "ACTOR",
            "DESTINATION",
            "SESSION",
            "SUBJECT",
            "BINDING",
            "ENDS",
            "OUTCOME",
        ];
        table(heads, &rows)
    })
}

/// `delivered`, `failed upstream_401`, or nothing.
fn outcome_of(lease: &LeaseShown) -> String {
    let words = [lease.outcome.as_deref(), lease.failure_code.as_deref()];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

pub fn sessions(arguments: &RemoteArguments) -> Result<()> {
    let remote = arguments.remote()?;
    let list: SessionList = remote.get(&["v1", "sessions"], &[])?;
    stdout::answer(remote.json(), &list, || {
        if list.sessions.is_empty() {
            return "no session holds a lease\n".into();
        }
        let rows: Vec<_> = list
            .sessions
            .iter()
            .map(|session| {
                [
                    plain(&session.session),
                    plain(&session.subject),
                    session.leases.to_string(),
                    time(session.last_lease_at),
                    if session.revoked { "revoked" } else { "" }.to_owned(),
                    session.handles.iter().cloned().collect::<Vec<_>>().join(" "),
                ]
            })
            .collect();
        table(["SESSION", "SUBJECT", "LEASES", "LAST LEASE", "STATE", "HANDLES"], &rows)
    })
}
