//! The custody service.
#![forbid(unsafe_code)]

use clap::Parser;
use custody::cli::Cli;
use custody::hardening::harden;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = harden() {
        eprintln!("custody: cannot switch core dumps off: {error}");
        return ExitCode::FAILURE;
    }
    cli.run()
}
