//! `custody audit`

mod tail;
mod verify;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum Command {
    Verify(verify::Arguments),
    Tail(tail::Arguments),
}

pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Verify(arguments) => verify::run(arguments),
        Command::Tail(arguments) => tail::run(arguments),
    }
}
