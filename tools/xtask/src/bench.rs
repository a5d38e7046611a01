//! `cargo xtask bench`: what Leasehold costs, measured beside what one could use instead, and written
//! into BENCHMARKS.md.

mod edge;
mod goals;
mod group;
mod held;
mod load;
mod measured;
mod memory;
mod origin;
mod report;
mod revocation;
mod shape;
mod speed;
mod testbed;
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
    what: Option<BenchKind>,
    #[command(flatten)]
    speed: speed::Speed,
}

/// What is measured where it is not speed.
#[derive(Subcommand)]
enum BenchKind {
    /// How long a revocation takes to hold on every worker
    Revocation(revocation::Revocation),
    /// How long a guest waits while another opens and resets thousands of held streams
    Held(held::Held),
}

// === impl Bench ===

impl Bench {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            Some(BenchKind::Revocation(revocation)) => revocation.run(),
            Some(BenchKind::Held(held)) => held.run(),
            None => self.speed.run(),
        }
    }
}
