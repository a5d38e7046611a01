//! `cargo xtask bench`: what Leasehold costs, measured beside what one could use instead, and written
//! into BENCHMARKS.md.

mod edge;
mod goals;
mod group;
mod held;
mod lab;
mod load;
mod measured;
mod memory;
mod origin;
mod report;
mod revocation;
mod shape;
mod speed;
mod tokens;
mod tunnel;
mod variant;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Bench {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    speed: speed::Speed,
}

/// What is measured where it is not speed.
#[derive(Subcommand)]
enum What {
    /// How long a revocation takes to hold on every worker
    Revocation(revocation::Revocation),
    /// How long a guest waits while another opens and resets thousands of held streams
    Held(held::Held),
}

// === impl Bench ===

impl Bench {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            Some(What::Revocation(revocation)) => revocation.run(),
            Some(What::Held(held)) => held.run(),
            None => self.speed.run(),
        }
    }
}
