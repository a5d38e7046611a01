//! Programs we start, and the promise that none of them outlives us.
//!
//! Each runs in a process group of its own (so that Ctrl-C reaches only us, and we take things down
//! in order) and on a leash: a shell between us and the program starts a small watcher that reads
//! from a pipe only we hold, and then becomes the program. When we die, however suddenly, the
//! kernel closes the pipe, the watcher reads the end of it and kills the program. An orderly stop
//! first waits for the program and then lets the watcher go with a line.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// `$$` in the subshell is still the pid of the shell, which `exec` makes the program's.
const LEASH: &str = "exec 3<&0 </dev/null
signal=$1; shift
(exec >/dev/null 2>&1; read -r _ <&3 || kill \"-$signal\" $$) &
exec \"$@\" 3<&-";

/// How long a program may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// Between two looks at something that has no way of telling us.
const POLL: Duration = Duration::from_millis(5);
/// Lines of a log shown when its program ends too early.
const TAIL_LINES: usize = 15;
/// Characters of each that are shown: some of Envoy's lines are pages long.
const TAIL_COLUMNS: usize = 300;

/// A running program, its leash and its log.
pub struct Running {
    name: String,
    child: Child,
    leash: Option<ChildStdin>,
    log: PathBuf,
}

// === impl Running ===

impl Running {
    /// Starts `command`; standard output and standard error are appended to `log`.
    ///
    /// # Errors
    /// The log cannot be opened or there is no `sh`. A program that does not exist ends at once
    /// and says so in its log.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        Self::start_ended_by(Signal::KILL, name, command, log)
    }

    /// As [`Running::start`], for a program that ends at once by another signal than SIGKILL and has
    /// something to clean up: it gets that one when we die.
    ///
    /// # Errors
    /// As [`Running::start`].
    pub fn start_ended_by(
        signal: Signal,
        name: &str,
        command: &Command,
        log: &Path,
    ) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening the log {}", log.display()))?;
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(LEASH).arg("sh").arg(signal.as_raw().to_string());
        shell.arg(command.get_program()).args(command.get_args());
        carry_over(command, &mut shell);
        let mut child = shell
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().context("sharing the log")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let leash = child.stdin.take();
        Ok(Self { name: name.to_owned(), child, leash, log: log.to_owned() })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until `ready` says yes.
    ///
    /// # Errors
    /// The program ends first, or `limit` passes; both with the end of the log.
    pub fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            if ready() {
                return Ok(());
            }
            if let Some(status) = self.ended()? {
                bail!("{} ended ({status}) before {what}\n{}", self.name, self.tail());
            }
            if started.elapsed() > limit {
                bail!("{}: not {what} within {limit:?}\n{}", self.name, self.tail());
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until somebody accepts connections on `address`.
    ///
    /// # Errors
    /// As [`Running::wait_until`].
    pub fn wait_listening(&mut self, address: SocketAddr, limit: Duration) -> Result<()> {
        self.wait_until(&format!("listening on {address}"), limit, || {
            TcpStream::connect_timeout(&address, POLL * 20).is_ok()
        })
    }

    /// `Some` once the program has ended.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("asking after {}", self.name))
    }

    /// Asks the program to end (SIGTERM) and kills it if it has not within five seconds.
    pub fn stop(self) {
        self.stop_by(Signal::TERM);
    }

    /// As [`Running::stop`], with the signal by which this program is asked.
    pub fn stop_by(mut self, signal: Signal) {
        self.take_down(Some(signal));
    }

    /// Kills the program at once (SIGKILL), as a crash would.
    pub fn kill(mut self) {
        self.take_down(None);
    }

    /// The last lines of the log, for an error message.
    pub fn tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines = log.lines().skip(log.lines().count().saturating_sub(TAIL_LINES));
        let tail: Vec<_> =
            lines.map(|line| line.chars().take(TAIL_COLUMNS).collect::<String>()).collect();
        format!("--- end of {}\n{}", self.log.display(), tail.join("\n"))
    }

    /// Leaves nothing behind. Errors have nobody to go to here: the program may be gone already.
    fn take_down(&mut self, ask: Option<Signal>) {
        let Some(mut leash) = self.leash.take() else { return };
        if let (Some(signal), Some(pid)) = (ask, Pid::from_raw(self.child.id().cast_signed())) {
            let _ = kill_process(pid, signal);
            let asked = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < GRACE {
                thread::sleep(POLL);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Only now: until the program is gone the watcher has to stay.
        let _ = leash.write_all(b"released\n");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.take_down(None);
    }
}

/// Runs `command` to its end with `input` on standard input; what it wrote to standard output.
///
/// # Errors
/// It cannot be started or fails; with what it wrote to standard error.
pub fn run(command: &mut Command, input: &str) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {name}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read it all says so by its own exit code.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("waiting for {name}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{name} failed ({}): {}", output.status, complaint.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The environment and folder that the caller set on the command that the shell becomes.
fn carry_over(from: &Command, to: &mut Command) {
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove::<&OsStr>(name),
        };
    }
    if let Some(folder) = from.get_current_dir() {
        to.current_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(folder: &Path) -> Running {
        let mut command = Command::new("sleep");
        command.arg("600");
        Running::start("sleeper", &command, &folder.join("log")).unwrap()
    }

    fn gone(pid: u32) -> bool {
        rustix::process::test_kill_process(Pid::from_raw(pid.cast_signed()).unwrap()).is_err()
    }

    #[test]
    fn a_dropped_program_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let running = sleeper(folder.path());
        let pid = running.pid();
        assert!(!gone(pid));
        drop(running);
        assert!(gone(pid));
    }

    #[test]
    fn the_leash_kills_the_program_when_we_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut running = sleeper(folder.path());
        // What the kernel does for us when we are killed: the pipe closes without a word.
        drop(running.leash.take());
        let status = running.child.wait().unwrap();
        assert!(!status.success());
    }

    #[test]
    fn a_program_that_ends_early_is_an_error_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo about to fail; exit 3"]);
        let mut running = Running::start("failing", &command, &folder.path().join("log")).unwrap();
        let error =
            running.wait_until("ready", Duration::from_secs(60), || false).unwrap_err().to_string();
        assert!(error.contains("failing ended (exit status: 3) before ready"), "{error}");
        assert!(error.contains("about to fail"), "{error}");
    }

    #[test]
    fn a_stopped_program_ends_by_sigterm() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let up = folder.path().join("up");
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "trap 'echo bye >\"$MARK\"; exit 0' TERM; : >\"$UP\"; while :; do sleep 0.01; done",
        ]);
        command.env("MARK", &mark).env("UP", &up);
        let mut running = Running::start("polite", &command, &folder.path().join("log")).unwrap();
        running.wait_until("up", Duration::from_secs(60), || up.exists()).unwrap();
        running.stop();
        assert_eq!(fs::read_to_string(mark).unwrap(), "bye\n");
    }
}
