//! Commands whose progress is spoken: while one runs, the latest line it wrote is repeated every
//! few seconds; what it wrote in full is shown only if it fails.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;

use anyhow::{Context, Result, bail};
use stack::progress::{Progress, STILL_GOING, Step};

/// Runs `command` to its end as one step.
///
/// # Errors
/// It cannot be started, or fails; with everything it wrote.
pub fn run(step: &mut Step<'_>, command: &mut Command) -> Result<()> {
    let (status, written) = run_captured(step, command)?;
    if !status.success() {
        bail!("{}\n`{}` failed ({status})", written.join("\n"), shown(command));
    }
    Ok(())
}

/// Runs `command` to its end as one step; how it ended, and what it wrote.
///
/// # Errors
/// It cannot be started.
pub fn run_captured(
    step: &mut Step<'_>,
    command: &mut Command,
) -> Result<(ExitStatus, Vec<String>)> {
    let mut written = Vec::new();
    let status = follow(command, |line| match line {
        Some(line) => written.push(line),
        None => step.still(last_line(&written)),
    })?;
    Ok((status, written))
}

/// Runs `command` to its end and shows every line as it comes; how it ended.
///
/// # Errors
/// It cannot be started.
pub fn run_shown(command: &mut Command) -> Result<ExitStatus> {
    follow(command, |line| {
        if let Some(line) = line {
            eprintln!("{line}");
        }
    })
}

/// Runs `get` as one step, which ends with a remark. `get` calls back with a line for whatever takes long.
///
/// # Errors
/// Those of `get`.
pub fn run_fetch<T, E: Into<anyhow::Error>>(
    progress: &mut Progress,
    what: &str,
    get: impl FnOnce(&dyn Fn(&str)) -> Result<T, E>,
    remark: impl FnOnce(&T) -> String,
) -> Result<T> {
    let mut step = progress.step(format!("fetching {what}"));
    let fetched = {
        let step = RefCell::new(&mut step);
        get(&|line| step.borrow_mut().still(line)).map_err(Into::into)?
    };
    step.finish_with(&remark(&fetched));
    Ok(fetched)
}

/// `on_line` gets every line of standard output and standard error, and `None` whenever there has been
/// nothing for a while.
fn follow(command: &mut Command, mut on_line: impl FnMut(Option<String>)) -> Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting `{}`", shown(command)))?;
    let (sender, lines) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        read_lines(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        read_lines(stderr, sender.clone());
    }
    drop(sender);
    let mut reported = std::time::Instant::now();
    loop {
        match lines.recv_timeout(STILL_GOING.saturating_sub(reported.elapsed())) {
            Ok(line) => on_line(Some(line)),
            Err(RecvTimeoutError::Timeout) => {
                on_line(None);
                reported = std::time::Instant::now();
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    child.wait().with_context(|| format!("waiting for `{}`", shown(command)))
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { return };
            if to.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
}

fn last_line(written: &[String]) -> &str {
    written.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty()).unwrap_or("")
}

fn shown(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    [program].into_iter().chain(arguments).collect::<Vec<_>>().join(" ")
}
