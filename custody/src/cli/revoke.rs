//! `custody revoke`, `custody restore` and `custody revocations`

use super::failure::Usage;
use super::remote::RemoteArguments;
use super::stdout;
use super::table::{plain, table, time};
use crate::admin::revocations::{Restored, RevocationList, Revoked};
use anyhow::Result;
use clap::{Args, ValueEnum};
use custody_base::clock;
use custody_base::outbound::Method;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    custody revoke session https://cp.example#8c1f0e52-job-7   # as in: custody sessions\n  \
    custody revoke session build-991 --for 12h\n  \
    custody revoke handle github-ci\n  \
    custody leases --json | jq -r '.leases[].lease_id' | xargs -n1 custody revoke lease\n\n\
    Custody rejects the next lease at once, and publishes the revocation to its edges at once. It\n\
    revokes at the backends what it leased, as far as they can.")]
pub struct RevokeArguments {
    /// The kind of the target.
    kind: KindName,
    /// Its name.
    id: String,
    /// How long it is remembered. Default: a session, as long as session.absolute allows, else until it is
    /// restored; a lease, to its end; a handle or actor, until it is restored.
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<String>,
    #[command(flatten)]
    remote: RemoteArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  custody restore handle github-ci")]
pub struct RestoreArguments {
    /// The kind of the target.
    kind: KindName,
    /// Its name.
    id: String,
    #[command(flatten)]
    remote: RemoteArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindName {
    /// By its name, ISSUER#ID; while custody has one issuer, ID is enough.
    Session,
    /// By lease_id.
    Lease,
    Handle,
    /// Every handle of this owner of credentials.
    Actor,
}

pub fn revoke(arguments: &RevokeArguments) -> Result<()> {
    let RevokeArguments { kind, id, lasting, remote } = arguments;
    let mut until = None;
    if let Some(text) = lasting {
        let lasting = humantime::parse_duration(text)
            .map_err(|_| Usage(format!("--for {text}: is a duration, as in 12h or 7d")))?;
        until = Some(clock::now().saturating_add(lasting.as_secs()));
    }
    let body = json!({"kind": kind.name(), "id": id, "until": until});
    let remote = remote.remote()?;
    let revoked: Revoked = remote.send(Method::POST, &["v1", "revocations"], Some(&body))?;
    stdout::answer(remote.json(), &revoked, || {
        let until = revoked.revocation.until.map_or_else(
            || "until it is restored".into(),
            |until| format!("until {}", time(until)),
        );
        let ended = match revoked.leases {
            0 => "no live lease is known".to_owned(),
            1 => "1 live lease ends".to_owned(),
            many => format!("{many} live leases end"),
        };
        let ended = match revoked.complete {
            true => ended,
            false => {
                format!("{ended} so far, and custody goes on; the audit log says when all have")
            }
        };
        format!("revoked {} {} {until}; {ended}\n", kind.name(), plain(id))
    })
}

pub fn restore(arguments: &RestoreArguments) -> Result<()> {
    let RestoreArguments { kind, id, remote } = arguments;
    let remote = remote.remote()?;
    let path = ["v1", "revocations", kind.name(), id];
    let restored: Restored = remote.send(Method::DELETE, &path, None)?;
    stdout::answer(remote.json(), &restored, || {
        format!("restored {} {}\n", kind.name(), plain(&restored.id))
    })
}

pub fn list(arguments: &RemoteArguments) -> Result<()> {
    let remote = arguments.remote()?;
    let list: RevocationList = remote.get(&["v1", "revocations"], &[])?;
    stdout::answer(remote.json(), &list, || {
        if list.revocations.is_empty() {
            return "nothing is revoked\n".into();
        }
        let rows: Vec<_> = list
            .revocations
            .iter()
            .map(|one| {
                let until = one.until.map_or_else(|| "restored".into(), time);
                [one.kind.name().to_owned(), plain(&one.id), time(one.at), until, plain(&one.by)]
            })
            .collect();
        table(["KIND", "ID", "AT", "UNTIL", "BY"], &rows)
    })
}

// === impl KindName ===

impl KindName {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Lease => "lease",
            Self::Handle => "handle",
            Self::Actor => "actor",
        }
    }
}
