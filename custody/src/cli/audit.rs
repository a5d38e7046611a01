//! `custody audit`

mod tail;
mod verify;

use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Arguments),
    Tail(tail::Arguments),
}

pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Verify(arguments) => verify::run(arguments),
        Command::Tail(arguments) => tail::run(arguments),
    }
}
