//! An Envoy process: started with a configuration, awaited, questioned, stopped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use super::{Admin, EnvoyBinary, EnvoyError};
use crate::child::Running;

/// The name of the listener that guests connect to, in both shipped files.
pub const GUEST_LISTENER: &str = "guests";

/// Each with VMs of its own.
pub const WORKERS: usize = 2;
/// Short: a test that is over does not wait for its connections.
const DRAIN: Duration = Duration::from_secs(1);
/// A start takes half a second; loading the module under load of a whole test run, several.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a starting Envoy.
const POLL: Duration = Duration::from_millis(10);
/// Lines of the log that go into an error.
const COMPLAINTS: usize = 15;
/// Standard output, the access log by default, goes to a file of its own (`$1`).
const APART: &str = "output=$1; shift; exec \"$@\" >>\"$output\"";

/// How Envoy is started.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub workers: usize,
    /// Whole seconds that connections of a replaced listener go on: `--drain-time-s`.
    pub drain: Duration,
    /// The log has every call between Envoy and its WebAssembly modules.
    pub traces_wasm: bool,
}

/// A running Envoy; dropping it kills it, and so does the death of this process.
pub struct Envoy {
    child: Running,
    admin: Admin,
    listen: SocketAddr,
    output: PathBuf,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self { workers: WORKERS, drain: DRAIN, traces_wasm: false }
    }
}

// === impl Envoy ===

impl Envoy {
    /// Writes `config` to `directory/envoy.yaml`, starts Envoy there and returns when `/ready`
    /// says LIVE and the guests' listener has its port. Log: `directory/envoy.log`; standard
    /// output (the access log, unless the settings name a file): `directory/envoy.out`. Both are
    /// appended to.
    ///
    /// # Errors
    /// [`EnvoyError::Start`] when it ends early or is not ready in time, with the end of the log.
    pub fn start(binary: &EnvoyBinary, config: &str, directory: &Path) -> Result<Self, EnvoyError> {
        Self::start_with_workers(WORKERS, binary, config, directory)
    }

    /// The same with as many worker threads as this.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with_workers(
        workers: usize,
        binary: &EnvoyBinary,
        config: &str,
        directory: &Path,
    ) -> Result<Self, EnvoyError> {
        Self::start_with(Options { workers, ..Options::default() }, binary, config, directory)
    }

    /// The same with these options.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with(
        options: Options,
        binary: &EnvoyBinary,
        config: &str,
        directory: &Path,
    ) -> Result<Self, EnvoyError> {
        let file = directory.join("envoy.yaml");
        fs::write(&file, config).map_err(EnvoyError::io(file.display().to_string()))?;
        let output = directory.join("envoy.out");
        let admin_file = directory.join("admin-address");
        // Left over from a start in the same directory, it would name the old port.
        let _ = fs::remove_file(&admin_file);
        let command = command(binary, options, &file, &output, &admin_file);
        let log = directory.join("envoy.log");
        let child = Running::start("envoy", &command, &log)
            .map_err(|error| EnvoyError::Start(format!("{error:#}")))?;
        Starting { child, admin_file, since: Instant::now() }.finish(output)
    }

    /// Where guests connect to, with the real port.
    #[must_use]
    pub fn listen_address(&self) -> SocketAddr {
        self.listen
    }

    /// The admin interface.
    #[must_use]
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Resident memory in bytes, from `/proc` (Linux).
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the system will not say, for one when Envoy is gone.
    pub fn resident_bytes(&self) -> Result<u64, EnvoyError> {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).map_err(EnvoyError::io(path.clone()))?;
        resident_in(&status).ok_or_else(|| EnvoyError::Io {
            what: path,
            source: std::io::Error::other("no VmRSS line: the process is gone"),
        })
    }

    /// Envoy's own log so far (the filter's log lines are in it).
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the file cannot be read.
    pub fn log(&self) -> Result<String, EnvoyError> {
        read(self.child.log())
    }

    /// What Envoy wrote to standard output so far: the access log by default.
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the file cannot be read.
    pub fn output(&self) -> Result<String, EnvoyError> {
        read(&self.output)
    }

    /// The files of [`Self::log`] and [`Self::output`].
    #[must_use]
    pub fn log_paths(&self) -> [&Path; 2] {
        [self.child.log(), &self.output]
    }

    /// How it ended, if it ended on its own.
    ///
    /// # Errors
    /// [`EnvoyError::Start`] when the system will not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, EnvoyError> {
        self.child.ended().map_err(|error| EnvoyError::Start(format!("{error:#}")))
    }

    /// Stops it: SIGTERM, a few seconds' grace, SIGKILL.
    ///
    /// # Errors
    /// [`EnvoyError::Start`] when it had ended on its own before, with the end of its log.
    pub fn stop(mut self) -> Result<(), EnvoyError> {
        if let Some(status) = self.ended()? {
            let tail = complaints(&self.child);
            return Err(EnvoyError::Start(format!("envoy had ended ({status})\n{tail}")));
        }
        self.child.stop();
        Ok(())
    }
}

/// An Envoy that is not ready yet.
struct Starting {
    child: Running,
    admin_file: PathBuf,
    since: Instant,
}

// === impl Starting ===

impl Starting {
    fn finish(mut self, output: PathBuf) -> Result<Envoy, EnvoyError> {
        let (admin, listen) = loop {
            if let Some(found) = self.look() {
                break found;
            }
            self.still_hopeful()?;
            std::thread::sleep(POLL);
        };
        Ok(Envoy { child: self.child, admin, listen, output })
    }

    /// The admin interface and the guests' address, once both are there and Envoy is LIVE.
    fn look(&self) -> Option<(Admin, SocketAddr)> {
        let address = fs::read_to_string(&self.admin_file).ok()?.trim().parse().ok()?;
        let admin = Admin::new(address);
        if admin.get("/ready").ok()?.trim() != "LIVE" {
            return None;
        }
        let listen = *admin.listeners().ok()?.get(GUEST_LISTENER)?;
        Some((admin, listen))
    }

    fn still_hopeful(&mut self) -> Result<(), EnvoyError> {
        let ended = self.child.ended().map_err(|error| EnvoyError::Start(format!("{error:#}")))?;
        let tail = complaints(&self.child);
        if let Some(status) = ended {
            return Err(EnvoyError::Start(format!(
                "envoy ended ({status}) before it was ready\n{tail}"
            )));
        }
        if self.since.elapsed() > PATIENCE {
            return Err(EnvoyError::Start(format!("envoy is not ready in {PATIENCE:?}\n{tail}")));
        }
        Ok(())
    }
}

fn command(
    binary: &EnvoyBinary,
    options: Options,
    config: &Path,
    output: &Path,
    admin_file: &Path,
) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", APART, "sh"]).arg(output).arg(binary.path()).arg("-c").arg(config);
    command.arg("--concurrency").arg(options.workers.to_string());
    command.arg("--admin-address-path").arg(admin_file).args([
        // With hot restart, Envoys on one machine share memory by number, and each asks the
        // kernel to end it when the *thread* that started it ends (PR_SET_PDEATHSIG).
        "--disable-hot-restart",
        "--log-level",
        "info",
        // The access log is there soon after the request.
        "--file-flush-interval-msec",
        "50",
    ]);
    command.arg("--drain-time-s").arg(options.drain.as_secs().to_string());
    if options.traces_wasm {
        command.args(["--component-log-level", "wasm:trace"]);
    }
    command
}

/// The last things in the log that Envoy did not say in passing, whole: one line of it names the
/// wrong field at its very end. The first hundred `info` lines only list what is built in.
fn complaints(child: &Running) -> String {
    let log = fs::read_to_string(child.log()).unwrap_or_default();
    let said: Vec<_> = log.lines().filter(|line| !line.contains("][info][")).collect();
    let last = said.get(said.len().saturating_sub(COMPLAINTS)..).unwrap_or_default();
    format!("--- end of {}\n{}", child.log().display(), last.join("\n"))
}

/// The `VmRSS: 91748 kB` line of `/proc/PID/status`, in bytes.
fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn read(path: &Path) -> Result<String, EnvoyError> {
    fs::read_to_string(path).map_err(EnvoyError::io(path.display().to_string()))
}

#[cfg(test)]
mod tests;
