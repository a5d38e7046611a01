//! `custody audit tail`

use crate::cli::stdout;
use crate::cli::table::plain;
use anyhow::{Context, Result};
use clap::Args;
use custody_audit::segments::closed;
use custody_base::files::is_same_file;
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Show the newest records, a line each.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  custody audit tail custody/audit.jsonl\n  \
    custody audit tail custody/audit.jsonl --follow --denied\n  \
    custody audit tail custody/audit.jsonl -n 1000 --json | jq .code")]
pub struct Arguments {
    /// The audit log, as in audit.path.
    file: PathBuf,
    /// How many records to begin with.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
    lines: usize,
    /// Go on with what is written from now on, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// Refusals and failures only.
    #[arg(long)]
    denied: bool,
    /// The records as they are in the file.
    #[arg(long)]
    json: bool,
}

/// A log being read, across its segments.
struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// The beginning of a line that is still being written.
    begun: Vec<u8>,
}

/// How often a log that has grown no further is looked at again.
const PAUSE: Duration = Duration::from_millis(200);

pub fn run(arguments: &Arguments) -> Result<()> {
    let mut reader = Reader::open(&arguments.file)?;
    let mut newest = newest_of(arguments, &mut reader)?;
    // The log may have been begun anew a moment ago.
    let mut earlier = closed(&arguments.file).unwrap_or_default();
    while newest.len() < arguments.lines
        && let Some(segment) = earlier.pop()
    {
        let mut before = newest_of(arguments, &mut Reader::open(&segment)?)?;
        before.append(&mut newest);
        newest = before;
        let surplus = newest.len().saturating_sub(arguments.lines);
        newest.drain(..surplus);
    }
    for line in &newest {
        if !stdout::print_if_open(line)? {
            return Ok(());
        }
    }
    if arguments.follow { follow(arguments, &mut reader) } else { Ok(()) }
}

fn newest_of(arguments: &Arguments, reader: &mut Reader) -> Result<VecDeque<String>> {
    let mut newest = VecDeque::new();
    while let Some(line) = reader.next()? {
        if let Some(shown) = shown(arguments, &line) {
            newest.push_back(shown);
        }
        if newest.len() > arguments.lines {
            newest.pop_front();
        }
    }
    Ok(newest)
}

fn follow(arguments: &Arguments, reader: &mut Reader) -> Result<()> {
    loop {
        match reader.next()? {
            Some(line) => {
                if let Some(line) = shown(arguments, &line)
                    && !stdout::print_if_open(&line)?
                {
                    return Ok(());
                }
            }
            None => std::thread::sleep(PAUSE),
        }
    }
}

// === impl Reader ===

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("{}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: BufReader::new(file), begun: Vec::new() })
    }

    /// The next whole line, of the next file where this one has ended; `None` at the present end.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(line) = self.read()? {
            return Ok(Some(line));
        }
        if !self.is_replaced()? {
            return Ok(None);
        }
        // What was written between that look and the replacement comes first.
        if let Some(line) = self.read()? {
            return Ok(Some(line));
        }
        *self = Self::open(&self.path)?;
        self.read()
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let context = || format!("{}", self.path.display());
        self.file.read_until(b'\n', &mut self.begun).with_context(context)?;
        if self.begun.pop_if(|byte| *byte == b'\n').is_none() {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.begun)))
    }

    /// Custody has closed the segment, or an operator keeps it under another name.
    fn is_replaced(&self) -> Result<bool> {
        let own = self.file.get_ref().metadata()?;
        // Gone for the moment: what is open stays readable.
        let Ok(there) = std::fs::metadata(&self.path) else { return Ok(false) };
        Ok(!is_same_file(&own, &there))
    }
}

/// The line as it is asked for, if it is.
fn shown(arguments: &Arguments, line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(line);
    let record: Value = serde_json::from_slice(line).unwrap_or_default();
    if arguments.denied && record.get("outcome").and_then(Value::as_str) != Some("deny") {
        return None;
    }
    // What is no record is shown as it stands: here nothing is hidden.
    if arguments.json || !record.is_object() {
        return Some(plain(&text));
    }
    Some(for_eyes(&record))
}

/// `TIME  OUTCOME  EVENT  what is known of it`
fn for_eyes(record: &Value) -> String {
    let text = |name| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{:24}  {:5}  {:16}", text("time"), text("outcome"), text("event"));
    for name in [
        "code",
        "reason",
        "handle",
        "destination",
        "method",
        "path",
        "subject",
        "jwt_id",
        "lease_id",
        "by",
        "action",
        "target",
        "trace_id",
        "day",
        "records",
        "merkle_root",
        "suppressed",
    ] {
        match record.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(value)) => line.push_str(&format!("  {name}={}", plain(value))),
            Some(value) => line.push_str(&format!("  {name}={value}")),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::Write;

    #[test]
    fn a_record_for_eyes_steers_no_terminal() {
        let line = for_eyes(&json!({"time": "2026-01-01T00:00:00.000Z", "outcome": "deny",
            "event": "lease", "code": "not_granted", "path": "/\u{1b}[2J\r\nx", "records": 3}));
        assert_eq!(
            line,
            "2026-01-01T00:00:00.000Z  deny   lease             code=not_granted  \
             path=/\u{fffd}[2J\u{fffd}\u{fffd}x  records=3"
        );
    }

    #[test]
    fn half_a_line_waits_for_its_end_and_a_new_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "{\"a\":1}\n{\"b\"").unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), b"{\"a\":1}");
        assert_eq!(reader.next().unwrap(), None);
        let mut more = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        more.write_all(b":2}\n").unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), b"{\"b\":2}");
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        assert_eq!(reader.next().unwrap(), None);
        more.write_all(b"{\"c\":3}\n").unwrap();
        std::fs::write(&path, "{\"d\":4}\n").unwrap();
        assert_eq!(reader.next().unwrap().unwrap(), b"{\"c\":3}", "the end of the old file");
        assert_eq!(reader.next().unwrap().unwrap(), b"{\"d\":4}");
    }
}
