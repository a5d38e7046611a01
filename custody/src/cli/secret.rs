//! Reading a secret.

use super::failure::Usage;
use anyhow::{Context, Result, ensure};
use lease::Secret;
use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Read, stdin};
use std::path::Path;

/// More than any header may carry.
const LIMIT: usize = 64 * 1024;

/// Where it comes from.
pub enum Source<'a> {
    Stdin,
    File(&'a Path),
}

/// The treatment of one line end at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// An editor or `echo` put it there.
    Dropped,
    /// It may be part of the secret.
    Kept,
}

// === impl Source ===

impl<'a> Source<'a> {
    pub fn of(file: Option<&'a Path>) -> Self {
        file.map_or(Self::Stdin, Self::File)
    }

    /// All of it.
    ///
    /// # Errors
    /// It cannot be read, is empty, or over 64 KiB; or it would be typed into a terminal.
    pub fn read(&self, line_end: LineEnd) -> Result<Secret> {
        let input: Box<dyn Read> = match self {
            Self::Stdin => Box::new(piped()?),
            Self::File(path) => Box::new(File::open(path).with_context(|| self.to_string())?),
        };
        // Room for all of it at once: a vector that grows leaves copies behind.
        let mut bytes = Vec::with_capacity(LIMIT + 1);
        let mut limited = input.take(LIMIT as u64 + 1);
        limited.read_to_end(&mut bytes).with_context(|| self.to_string())?;
        let whole = bytes.len();
        if line_end == LineEnd::Dropped && bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        let secret = Secret::new(bytes);
        ensure!(!secret.expose().is_empty(), "{self}: the secret is empty");
        ensure!(whole <= LIMIT, "{self}: the secret is over 64 KiB");
        Ok(secret)
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

fn piped() -> Result<impl Read> {
    let input = stdin().lock();
    if input.is_terminal() {
        return Err(Usage(
            "the secret is read from standard input, and a terminal would show it. Pipe it in:\n  \
             custody cred put HANDLE < token.txt\n  \
             pass show github | custody cred put HANDLE\n  \
             read -rs T && printf %s \"$T\" | custody cred put HANDLE; unset T"
                .into(),
        )
        .into());
    }
    Ok(input)
}
