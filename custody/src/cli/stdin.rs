//! Reading a secret.

use super::Usage;
use anyhow::{Context, Result};
use lease::Secret;
use std::io::{IsTerminal, Read, stdin};

/// More than any header may carry.
const LIMIT: usize = 64 * 1024;

/// The whole of standard input, without one line end at its end.
pub fn read_secret() -> Result<Secret> {
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
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut bytes = Vec::with_capacity(LIMIT + 1);
    let mut limited = input.take(LIMIT as u64 + 1);
    limited.read_to_end(&mut bytes).context("standard input")?;
    let whole = bytes.len();
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    let (secret, empty) = (Secret::new(bytes), whole == 0);
    anyhow::ensure!(!empty && !secret.expose().is_empty(), "standard input: the secret is empty");
    anyhow::ensure!(whole <= LIMIT, "standard input: the secret is over 64 KiB");
    Ok(secret)
}
