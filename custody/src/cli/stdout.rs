//! Standard output: it may be a pipe that nobody reads any more (`| head`), or a file on a full disk.

use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// A line. A closed pipe is not a failure.
///
/// # Errors
/// It cannot be written.
pub fn print(line: impl Display) -> Result<()> {
    print_if_open(line).map(|_| ())
}

/// As [`print`]; `false` when the reader has closed the pipe, so that a loop can end.
pub fn print_if_open(line: impl Display) -> Result<bool> {
    let mut stream = std::io::stdout().lock();
    match writeln!(stream, "{line}").and_then(|()| stream.flush()) {
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
    if as_json {
        print(serde_json::to_string_pretty(answer)?)
    } else {
        print(for_people().trim_end())
    }
}
