//! `cargo xtask schemathesis`: custody's listeners, judged by their OpenAPI description.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cargo::cargo;

#[derive(Args)]
pub struct Schemathesis {
    /// How many requests are generated for each operation, beside those for each limit
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    examples: u64,
}

// === impl Schemathesis ===

impl Schemathesis {
    pub fn run(&self) -> Result<ExitCode> {
        let mut command = cargo(&["test"]);
        command.args(["--test", "schemathesis", "--", "--ignored", "--nocapture"]);
        let status = command.env("LEASEHOLD_EXAMPLES", self.examples.to_string()).status()?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
