//! Ends a server as a crash of the machine would: all of its processes, at once.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::child::Running;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that has no way of telling us.
const POLL: Duration = Duration::from_millis(5);

/// # Errors
/// The system does not tell which processes there are, or one is not gone in time.
pub(super) fn crash(running: Running) -> Result<()> {
    let children = children(running.pid())?;
    running.kill();
    for pid in &children {
        // Some are gone by themselves, now that their parent is.
        let _ = kill_process(*pid, Signal::KILL);
    }
    // A new server refuses to start beside what is left of the old one.
    let started = Instant::now();
    while children.iter().any(|pid| lives(*pid)) {
        if started.elapsed() > PATIENCE {
            bail!("processes of PostgreSQL live on after SIGKILL");
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// The processes whose parent is `pid`.
fn children(pid: u32) -> Result<Vec<Pid>> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    Ok(text.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect())
}

/// Whether a process is there, and no mere entry that its parent has not asked after.
fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    // `PID (name) STATE ...`, where the name may hold anything.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
