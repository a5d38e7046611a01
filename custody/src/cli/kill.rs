//! `custody kill`

use super::remote::RemoteArguments;
use super::stdout;
use crate::admin::kill_switch::KillSwitch;
use anyhow::Result;
use clap::{Args, ValueEnum};
use custody_base::outbound::Method;
use serde_json::json;

#[derive(Debug, Args)]
#[command(
    after_help = "While it is on, custody leases nothing, and edges that listen use nothing they hold. It \
    survives restarts.\n\n\
    Examples:\n  custody kill on\n  custody kill status --json"
)]
pub struct KillArguments {
    what: What,
    #[command(flatten)]
    remote: RemoteArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Deny everything.
    On,
    /// Stop denying everything.
    Off,
    /// Which of the two is it?
    Status,
}

pub fn run(arguments: &KillArguments) -> Result<()> {
    let remote = arguments.remote.remote()?;
    let path = ["v1", "kill-switch"];
    let put = |on: bool| remote.send(Method::PUT, &path, Some(&json!({"on": on})));
    let switch: KillSwitch = match arguments.what {
        What::On => put(true)?,
        What::Off => put(false)?,
        What::Status => remote.get(&path, &[])?,
    };
    stdout::answer(remote.json(), &switch, || {
        if switch.on {
            "the kill switch is ON: everything is denied\n"
        } else {
            "the kill switch is off\n"
        }
        .into()
    })
}
