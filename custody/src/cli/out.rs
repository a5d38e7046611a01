//! Standard output: it may be a pipe that nobody reads any more (`| head`), or a file on a full disk.

use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// A line. Where nobody reads any more, there is nobody left to tell, which is no failure.
///
/// # Errors
/// It cannot be written.
pub fn say(line: impl Display) -> Result<()> {
    is_heard(line).map(|_| ())
}

/// As [`say`]; `false` when nobody reads any more, for whoever would go on and on.
pub fn is_heard(line: impl Display) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error).context("standard output"),
    }
}

/// An answer, as JSON or for people.
pub fn answer<T: Serialize>(
    as_json: bool,
    answer: &T,
    for_people: impl FnOnce() -> String,
) -> Result<()> {
    if as_json { say(serde_json::to_string_pretty(answer)?) } else { say(for_people().trim_end()) }
}
