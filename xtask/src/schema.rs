//! `cargo xtask schema`: the JSON Schema of the plugin configuration, from the types that read it.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use edge::config::Config;
use stack::built::Built;

/// Where the schema is checked in, from the root of the source tree.
const FILE: &str = "edge/leasehold.schema.json";

#[derive(Args)]
pub struct Schema {
    /// Changes nothing; fails if the file is not what the types say
    #[arg(long)]
    check: bool,
}

// === impl Schema ===

impl Schema {
    pub fn run(&self) -> Result<ExitCode> {
        if self.check {
            check()?;
        } else {
            let path = Built::root().join(FILE);
            fs::write(path, generated()?).with_context(|| format!("writing {FILE}"))?;
            println!("wrote {FILE}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// # Errors
/// The file is not there or not what the types say.
pub fn check() -> Result<()> {
    let written = fs::read_to_string(Built::root().join(FILE)).unwrap_or_default();
    if written != generated()? {
        bail!("{FILE} is not what edge's types say; run `cargo xtask schema` and commit it");
    }
    Ok(())
}

/// The schema as text.
///
/// # Errors
/// It is no JSON.
pub fn generated() -> Result<String> {
    let schema = serde_json::to_string_pretty(&Config::schema()).context("the schema as JSON")?;
    Ok(schema + "\n")
}
