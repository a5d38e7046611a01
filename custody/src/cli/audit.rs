//! `custody audit`

use crate::audit::recovery::{lacks_only_its_end, verify};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the hash chain from the first record to the last; names the first broken one.
    #[command(
        after_help = "The chain shows every record that was changed, removed, added or moved, \
        but not\nrecords cut off at the end: for that, keep the last hash it prints elsewhere and \
        give it\nback with --contains. A file that is being written to can be verified."
    )]
    Verify {
        /// The audit log, as in audit.path.
        file: PathBuf,
        /// A hash printed earlier, which must still be in the chain.
        #[arg(long, value_name = "HASH")]
        contains: Option<String>,
    },
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let Command::Verify { file, contains } = &arguments.command;
    let intact = verify(file).with_context(|| format!("{}", file.display()))?;
    if let Some(hash) = contains {
        holds(file, hash)?;
    }
    if !intact.torn.is_empty() && !lacks_only_its_end(&intact) {
        bail!(
            "{}: line {}: the record is incomplete ({} bytes): custody died while writing it, or \
             the end was cut off; custody serve sets it aside",
            file.display(),
            intact.records + 1,
            intact.torn.len()
        );
    }
    println!(
        "{}: {} records, unbroken; last hash {}",
        file.display(),
        intact.records,
        intact.head.hash
    );
    Ok(())
}

/// After the chain was verified, a line that ends in the hash is the record with that hash.
fn holds(file: &Path, hash: &str) -> Result<()> {
    let end = format!(",\"hash\":\"{hash}\"}}");
    let text = std::fs::read_to_string(file)?;
    if !text.lines().any(|line| line.ends_with(&end)) {
        bail!("{}: no record has the hash of --contains: records were cut off", file.display());
    }
    Ok(())
}
