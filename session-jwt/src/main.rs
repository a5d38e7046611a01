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

use crate::cli::{Cli, Command, Outcome};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::Jwks(arguments) => jwks::run(arguments),
        Command::Mint(arguments) => mint::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
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
