//! The command line.

mod cost;
mod exit;
mod inspect;
mod run;
mod settings;
mod stdout;
mod test;

use clap::{Parser, Subcommand};
use exit::Exit;
use std::process::ExitCode;

/// Runs proxy-wasm filters without a proxy: every answer is scripted, every run is the same.
#[derive(Parser)]
#[command(name = "host-sim", version, after_help = exit::CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends one request through a filter and shows what becomes of it.
    Run(Box<run::Run>),
    /// Plays cases; a line each, and what differs.
    Test(test::Test),
    /// Shows what a module is made of and what it needs of its host.
    Inspect(inspect::Inspect),
    /// Counts what each case costs: host calls, instructions, memory.
    Cost(cost::Cost),
}

pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => run.run(),
        Command::Test(test) => test.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Cost(cost) => cost.run(),
    };
    match done {
        Ok(code) => code,
        Err(Exit { code, log, line }) => {
            log.iter().for_each(|message| eprintln!("log: {message}"));
            eprintln!("host-sim: {line}");
            ExitCode::from(code)
        }
    }
}
