//! One run of a command, bounded in time and output.
//!
//! The command is the leader of a process group of its own. Custody kills that group when the command
//! has ended, and when it takes too long. It does so before it reaps the leader, so that the id of the
//! group cannot be another's.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Bytes of standard output, at most.
pub(super) const OUTPUT_LIMIT: usize = 64 << 10;
/// Bytes of standard error that are kept; the rest is read and dropped.
const COMPLAINT_LIMIT: usize = 4 << 10;
/// A process that left the group may hold the pipes open. The output of the command itself is read by
/// then.
const DRAIN: Duration = Duration::from_millis(200);

/// A command that ended.
pub(super) struct Ran {
    pub status: ExitStatus,
    pub output: Zeroizing<Vec<u8>>,
    pub complaint: Zeroizing<Vec<u8>>,
}

/// A run that did not end by itself.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunFault {
    #[error("failed to start it: {0}")]
    Start(io::Error),
    #[error("it ran for longer than {}s, so custody killed it; fix: a higher timeout", .0.as_secs())]
    TooSlow(Duration),
    #[error("it wrote more than {OUTPUT_LIMIT} bytes, so custody killed it")]
    TooLong,
    #[error("failed to follow it: {0}")]
    Lost(io::Error),
}

/// The processes of a command, killed on drop.
struct Group(Pid);

// === impl Group ===

impl Drop for Group {
    fn drop(&mut self) {
        // An error means that nothing is left.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

/// The program without an environment, in no folder of custody's.
pub(super) fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().current_dir("/").process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// # Errors
/// It cannot be started, takes longer than `limit`, or writes too much. Then it is killed.
pub(super) async fn run(mut command: Command, limit: Duration) -> Result<Ran, RunFault> {
    let mut child = command.spawn().map_err(RunFault::Start)?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let (Some(pid), Some(stdout), Some(stderr)) = (pid, child.stdout.take(), child.stderr.take())
    else {
        return Err(RunFault::Lost(io::ErrorKind::NotFound.into()));
    };
    let group = Group(pid);
    // Their room is never exceeded, so no copy of a secret is left behind.
    let mut output = Zeroizing::new(Vec::with_capacity(OUTPUT_LIMIT + 1));
    let mut complaint = Zeroizing::new(Vec::with_capacity(COMPLAINT_LIMIT));
    let ended = {
        let reading = async {
            tokio::try_join!(read_all(stdout, &mut output), read_beginning(stderr, &mut complaint))
        };
        timeout(limit, end(pid, reading, group)).await
    };
    match ended {
        Ok(ended) => ended?,
        Err(_) => return Err(RunFault::TooSlow(limit)),
    }
    let status = child.wait().await.map_err(RunFault::Lost)?;
    Ok(Ran { status, output, complaint })
}

/// Waits until the command has ended and its output is read, and kills what it left behind.
async fn end(
    pid: Pid,
    reading: impl Future<Output = Result<((), ()), RunFault>>,
    group: Group,
) -> Result<(), RunFault> {
    let exited = async {
        // Without reaping it: its id stays its own.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let waited = tokio::task::spawn_blocking(move || waitid(WaitId::Pid(pid), options)).await;
        match waited {
            Ok(waited) => waited.map(drop).map_err(|error| RunFault::Lost(error.into())),
            Err(error) => Err(RunFault::Lost(io::Error::other(error))),
        }
    };
    tokio::pin!(reading, exited);
    tokio::select! {
        read = &mut reading => {
            read?;
            exited.await?;
        }
        ended = &mut exited => {
            ended?;
            drop(group);
            if let Ok(read) = timeout(DRAIN, reading).await {
                read?;
            }
        }
    }
    Ok(())
}

async fn read_all(mut from: impl AsyncRead + Unpin, into: &mut Vec<u8>) -> Result<(), RunFault> {
    while into.len() < into.capacity() {
        if from.read_buf(into).await.map_err(RunFault::Lost)? == 0 {
            return Ok(());
        }
    }
    Err(RunFault::TooLong)
}

async fn read_beginning(
    mut from: impl AsyncRead + Unpin,
    into: &mut Vec<u8>,
) -> Result<(), RunFault> {
    while into.len() < into.capacity() {
        if from.read_buf(into).await.map_err(RunFault::Lost)? == 0 {
            return Ok(());
        }
    }
    // A command whose errors nobody reads would stop.
    let mut rest = Zeroizing::new([0; 1024]);
    while from.read(&mut *rest).await.map_err(RunFault::Lost)? > 0 {}
    Ok(())
}
