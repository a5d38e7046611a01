//! `session-jwt`: Session JWTs for people who have no control plane yet.
//!
//! Exit codes: 0 done, 1 the token was refused, 2 wrong usage or a file that does not serve.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod cli;
mod inspect;
mod jwks;
mod key_file;
mod keygen;
mod mint;
mod moment;
mod printable;
mod report;

use std::process::ExitCode;

use clap::Parser;

/// How a command ended that did not fail.
enum Outcome {
    Done,
    /// `inspect` was asked for a verdict, and it is no.
    Refused,
}

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let outcome = match &cli.command {
        cli::Command::Keygen(arguments) => keygen::run(arguments),
        cli::Command::Jwks(arguments) => jwks::run(arguments),
        cli::Command::Mint(arguments) => mint::run(arguments),
        cli::Command::Inspect(arguments) => inspect::run(arguments),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Err(error) => {
            eprintln!("session-jwt: {error:#}");
            ExitCode::from(2)
        }
    }
}
