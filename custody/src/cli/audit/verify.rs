//! `custody audit verify`

use crate::audit::day::DayHead;
use crate::audit::recovery::{lacks_only_its_end, verify};
use crate::audit::verify::Intact;
use crate::cli::out::say;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Follow the hash chain from the first record to the last; names the first broken one.
#[derive(Debug, Args)]
#[command(
    after_help = "The chain shows every record that was changed, removed, added or moved, but not\n\
    records cut off at the end: for that, keep the last hash it prints elsewhere and give it\n\
    back with --contains. The same goes for the Merkle root of a day (--days), which stands for\n\
    all records of that day. A file that is being written to can be verified."
)]
pub struct Arguments {
    /// The audit log, as in audit.path.
    file: PathBuf,
    /// A hash printed earlier, which must still be in the chain.
    #[arg(long, value_name = "HASH")]
    contains: Option<String>,
    /// Print each day with its number of records and its Merkle root, the open one last.
    #[arg(long)]
    days: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    records: u64,
    last_hash: &'a str,
    days: &'a [DayHead],
    /// The day that is not over; its root still changes.
    today: DayHead,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { file, contains, days, json } = arguments;
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
    if *json {
        let report = Report {
            file,
            records: intact.records,
            last_hash: &intact.head.hash,
            days: &intact.days,
            today: intact.today.head(),
        };
        return say(serde_json::to_string_pretty(&report)?);
    }
    if *days {
        say_days(&intact)?;
    }
    let (file, hash) = (file.display(), &intact.head.hash);
    say(format_args!("{file}: {} records, unbroken; last hash {hash}", intact.records))
}

fn say_days(intact: &Intact) -> Result<()> {
    say(format_args!("{:10}  {:>10}  MERKLE ROOT", "DAY", "RECORDS"))?;
    for DayHead { day, records, merkle_root } in &intact.days {
        say(format_args!("{day:10}  {records:>10}  {merkle_root}"))?;
    }
    let DayHead { day, records, merkle_root } = intact.today.head();
    say(format_args!("{day:10}  {records:>10}  {merkle_root} (not over)"))
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
