//! The table of speed: Envoy with our filter beside Envoy without it, and beside Envoy's own filters.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub struct Speed {
    /// Times that each variant has its turn
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: u32,
}

// === impl Speed ===

impl Speed {
    pub fn run(self) -> Result<ExitCode> {
        bail!("nothing is measured yet in any of {} rounds", self.rounds)
    }
}
