//! The command line.

mod audit;
mod check;
mod cred;
mod init;
mod serve;
mod stdin;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// The only service that touches long-lived secrets: it verifies, audits, and then leases them.
#[derive(Debug, Parser)]
#[command(
    name = "custody",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage.\n\n\
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
    Cred(cred::Arguments),
    /// Look after the audit log.
    Audit(audit::Arguments),
    /// Check the configuration and every file it names; changes nothing.
    Check(ConfigArgument),
}

/// Which configuration.
#[derive(Debug, Args)]
struct ConfigArgument {
    /// The configuration file.
    #[arg(long, short, value_name = "FILE", default_value = "custody.yaml")]
    config: PathBuf,
}

/// A mistake in how a command was called, as opposed to a command that failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

const FAILED: u8 = 1;
const USAGE: u8 = 2;

// === impl Cli ===

impl Cli {
    /// Runs the command and prints what went wrong, if anything did.
    pub fn run(self) -> ExitCode {
        let outcome = match self.command {
            Command::Serve(arguments) => serve::run(&arguments),
            Command::Init(arguments) => init::run(arguments),
            Command::Cred(arguments) => cred::run(arguments),
            Command::Audit(arguments) => audit::run(&arguments),
            Command::Check(ConfigArgument { config }) => check::run(&config),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Several faults of a configuration come as several lines.
                for line in text_of(&error).lines() {
                    eprintln!("custody: {line}");
                }
                ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILED })
            }
        }
    }
}

/// The error and its causes, less those whose text an outer one has already said.
fn text_of(error: &anyhow::Error) -> String {
    error.chain().skip(1).fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}
