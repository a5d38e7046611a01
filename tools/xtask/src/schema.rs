//! `cargo xtask schema`: what the types that read the plugin configuration say of it, as a JSON Schema
//! and as a reference for people.

mod reference;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use edge::config::Config;
use serde_json::Value;
use stack::built::Built;

/// Where they are checked in, from the root of the source tree.
const SCHEMA: &str = "edge/leasehold.schema.json";
const REFERENCE: &str = "docs/configuration.md";

#[derive(Args)]
pub struct Schema {
    /// Changes nothing; fails if a file is not what the types say
    #[arg(long)]
    check: bool,
}

// === impl Schema ===

impl Schema {
    pub fn run(&self) -> Result<ExitCode> {
        if self.check {
            check()?;
        } else {
            for (file, text) in files()? {
                fs::write(Built::root().join(file), text)
                    .with_context(|| format!("writing {file}"))?;
                println!("wrote {file}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// # Errors
/// A file is not there or not what the types say.
pub fn check() -> Result<()> {
    for (file, text) in files()? {
        if fs::read_to_string(Built::root().join(file)).unwrap_or_default() != text {
            bail!("{file} is not what edge's types say; run `cargo xtask schema` and commit it");
        }
    }
    Ok(())
}

/// The schema as text.
///
/// # Errors
/// The schema is not JSON, or not a valid schema of its dialect.
pub fn generated() -> Result<String> {
    let schema = serde_json::to_value(Config::schema()).context("the schema as JSON")?;
    if let Err(error) = jsonschema::meta::validate(&schema) {
        bail!("the schema is not valid in its own dialect: {error}");
    }
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// Every file that is generated, and what should be in it.
fn files() -> Result<[(&'static str, String); 2]> {
    let schema = generated()?;
    let document = fs::read_to_string(Built::root().join(REFERENCE)).context(REFERENCE)?;
    let read: Value = serde_json::from_str(&schema)?;
    let reference = reference::put(&document, &read).context(REFERENCE)?;
    Ok([(SCHEMA, schema), (REFERENCE, reference)])
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_checked_in_is_what_the_types_say() {
        super::check().unwrap();
    }
}
