//! The command line.

mod audit;
mod check;
mod cred;
mod failure;
mod grants;
mod init;
mod key;
mod kill;
mod leases;
mod remote;
mod revoke;
mod secret;
mod serve;
mod status;
mod stdout;
mod storage;
mod table;

use check::ConfigArgument;
use clap::{Parser, Subcommand};
use failure::{NotGranted, Unreachable, Usage, text_of};
use std::process::ExitCode;

/// The only service that touches long-lived secrets: it verifies, audits, and then leases them.
#[derive(Debug, Parser)]
#[command(
    name = "custody",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 custody cannot be reached, 4 not granted.\n\n\
        To begin:  custody init ./custody  (it prints the next steps)"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer lease requests until SIGTERM or SIGINT.
    Serve(serve::Arguments),
    /// Write a working configuration, keys and certificates for a single machine.
    Init(init::Arguments),
    /// Store, list and delete credentials.
    #[command(subcommand)]
    Cred(cred::Command),
    /// Make and rotate the key of the sealed store.
    #[command(subcommand)]
    Key(key::Command),
    /// Look after the audit log.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check the configuration and every file it names; changes nothing.
    Check(ConfigArgument),
    /// How a running custody is: ledger, audit log, kill switch, counts.
    Status(remote::RemoteArguments),
    /// Leases that were given.
    Leases(leases::LeasesArguments),
    /// Sessions that hold leases.
    Sessions(remote::RemoteArguments),
    /// Revoke a session, lease, handle or actor.
    Revoke(revoke::RevokeArguments),
    /// Take a revocation back.
    Restore(revoke::RestoreArguments),
    /// The kind of the target.
    Revocations(remote::RemoteArguments),
    /// Deny everything at once, or stop doing so.
    Kill(kill::KillArguments),
    /// Try grants, and read them again.
    #[command(subcommand)]
    Grants(grants::Command),
    /// Print the OpenAPI description of every listener.
    Openapi,
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;
const NOT_GRANTED: u8 = 4;

// === impl Cli ===

impl Cli {
    /// Runs the command and prints what went wrong, if anything did.
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Serve(arguments) => serve::run(&arguments),
            Command::Init(arguments) => init::run(arguments),
            Command::Cred(command) => cred::run(command),
            Command::Key(command) => key::run(command),
            Command::Audit(command) => audit::run(&command),
            Command::Check(ConfigArgument { config }) => check::run(&config),
            Command::Status(arguments) => status::run(&arguments),
            Command::Leases(arguments) => leases::run(&arguments),
            Command::Sessions(arguments) => leases::sessions(&arguments),
            Command::Revoke(arguments) => revoke::revoke(&arguments),
            Command::Restore(arguments) => revoke::restore(&arguments),
            Command::Revocations(arguments) => revoke::list(&arguments),
            Command::Kill(arguments) => kill::run(&arguments),
            Command::Grants(command) => grants::run(&command),
            Command::Openapi => stdout::print(format_args!("{:#}", crate::openapi::document())),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.is::<NotGranted>() => ExitCode::from(NOT_GRANTED),
            Err(error) => {
                // Several faults of a configuration come as several lines.
                for line in text_of(&error).lines() {
                    eprintln!("custody: {line}");
                }
                ExitCode::from(match () {
                    () if error.is::<Usage>() => USAGE,
                    () if error.is::<Unreachable>() => UNREACHABLE,
                    () => FAILED,
                })
            }
        }
    }
}
