//! `cargo xtask reload`: a hundred changes of the policy under load. The test of the suite plays ten of them.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use stack::progress::Progress;

use crate::cargo::{self, BUILD_STEPS, cargo};

#[derive(Args)]
pub struct Reload {
    /// How often the policy is replaced
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u64).range(5..))]
    reloads: u64,
}

const TEST: &str = "reload::load::reloads_under_load_leave_memory_and_pollers_flat";

// === impl Reload ===

impl Reload {
    pub fn run(&self) -> Result<ExitCode> {
        let mut progress = Progress::new(BUILD_STEPS);
        cargo::build(&mut progress)?;
        let mut command = cargo(&["test", "--test", "e2e", "--"]);
        command.args(["--exact", TEST, "--nocapture"]);
        let status = command.env("LEASEHOLD_RELOADS", self.reloads.to_string()).status()?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
