//! `custody audit verify`

use crate::cli::stdout::print;
use anyhow::{Context, Result, bail};
use clap::Args;
use custody_audit::day::DayHead;
use custody_audit::segments::{Segment, Span, Verified, files_of, verify_all};
use custody_audit::verify::Intact;
use serde::Serialize;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Follow the hash chain from the first record to the last; names the first broken one.
#[derive(Debug, Args)]
#[command(
    after_help = "Of a folder, all segments in it are verified, each alone and against the one before; the\n\
    numbers of absent records are printed. The chain shows every record that was changed, removed,\n\
    added or moved, but not records cut off at the end: for that, keep the last hash it prints\n\
    elsewhere and pass it with --contains. Keep the Merkle root of a day (--days) likewise: it covers\n\
    all records of that day. A file that custody is writing can be verified."
)]
pub struct Arguments {
    /// The audit log (as in audit.path), closed segments of it, or the folder that holds them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A hash printed earlier, which must still be in the chain.
    #[arg(long, value_name = "HASH")]
    contains: Option<String>,
    /// Fail if the records of a segment are absent.
    #[arg(long)]
    complete: bool,
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
    segments: &'a [Segment],
    absent: &'a [Span],
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { files: given, contains, complete, days, json } = arguments;
    let mut files = Vec::new();
    for path in given {
        files.extend(files_of(path).with_context(|| format!("{}", path.display()))?);
    }
    let file = given.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
    if files.is_empty() {
        bail!("{}: has no audit log; name its file, or the folder of audit.path", file.display());
    }
    let Verified { intact, segments, absent } = verify_all(&files)?;
    if let Some(hash) = contains
        && !holds(&files, hash)?
    {
        bail!("{}: no record has the hash of --contains: records were cut off", file.display());
    }
    if *json {
        let report = Report {
            file,
            records: intact.records,
            last_hash: &intact.head.hash,
            days: &intact.days,
            today: intact.today.head(),
            segments: &segments,
            absent: &absent,
        };
        print(serde_json::to_string_pretty(&report)?)?;
    } else {
        if *days {
            say_days(&intact)?;
        }
        for Span { first, last } in &absent {
            print(format_args!("{}: records {first} to {last} are absent", file.display()))?;
        }
        let (file, hash) = (file.display(), &intact.head.hash);
        print(format_args!("{file}: {} records, unbroken; last hash {hash}", intact.records))?;
    }
    if *complete && !absent.is_empty() {
        bail!("records are absent; put their segments beside the others");
    }
    Ok(())
}

fn say_days(intact: &Intact) -> Result<()> {
    print(format_args!("{:10}  {:>10}  MERKLE ROOT", "DAY", "RECORDS"))?;
    for DayHead { day, records, merkle_root } in &intact.days {
        print(format_args!("{day:10}  {records:>10}  {merkle_root}"))?;
    }
    let DayHead { day, records, merkle_root } = intact.today.head();
    print(format_args!("{day:10}  {records:>10}  {merkle_root} (not over)"))
}

/// After the chain was verified, a line that ends in the hash is the record with that hash.
fn holds(files: &[PathBuf], hash: &str) -> Result<bool> {
    let end = format!(",\"hash\":\"{hash}\"}}");
    for path in files {
        let lines = BufReader::new(std::fs::File::open(path)?).split(b'\n');
        for line in lines {
            if line?.ends_with(end.as_bytes()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
