//! An Envoy process: started with a configuration, awaited, questioned, stopped.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use super::{Admin, EnvoyBinary, EnvoyError, Leashed};

/// The name of the listener that guests connect to, in both shipped files.
pub const GUEST_LISTENER: &str = "guests";

/// A running Envoy; dropping it stops it, and so does the death of this process.
#[derive(Debug)]
pub struct Envoy {
    child: Leashed,
    admin: Admin,
    listen: SocketAddr,
    log: PathBuf,
    output: PathBuf,
}

// === impl Envoy ===

impl Envoy {
    /// Writes `config` to `directory/envoy.yaml`, starts Envoy there and returns when `/ready`
    /// says LIVE and the guests' listener has its port. Log: `directory/envoy.log`; standard
    /// output (the access log, unless the settings name a file): `directory/envoy.out`.
    ///
    /// # Errors
    /// [`EnvoyError::Exited`] or [`EnvoyError::NotReady`], both with the end of the log.
    pub fn start(binary: &EnvoyBinary, config: &str, directory: &Path) -> Result<Self, EnvoyError> {
        let _ = (binary, config, directory);
        Err(EnvoyError::Fetch { step: "start", reason: "being written".to_owned() })
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

    /// Resident memory in bytes (Linux; 0 elsewhere).
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the system will not say, for one when Envoy is gone.
    pub fn resident_bytes(&self) -> Result<u64, EnvoyError> {
        Ok(0)
    }

    /// Envoy's own log so far (the filter's log lines are in it).
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the file cannot be read.
    pub fn log(&self) -> Result<String, EnvoyError> {
        std::fs::read_to_string(&self.log).map_err(EnvoyError::io(self.log.display().to_string()))
    }

    /// What Envoy wrote to standard output so far: the access log by default.
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the file cannot be read.
    pub fn output(&self) -> Result<String, EnvoyError> {
        std::fs::read_to_string(&self.output)
            .map_err(EnvoyError::io(self.output.display().to_string()))
    }

    /// The files of [`Self::log`] and [`Self::output`].
    #[must_use]
    pub fn log_paths(&self) -> [&Path; 2] {
        [&self.log, &self.output]
    }

    /// How it ended, if it ended on its own.
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the system will not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, EnvoyError> {
        self.child.ended()
    }

    /// Stops it: SIGTERM, a few seconds' grace, SIGKILL.
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when it cannot be waited for.
    pub fn stop(self) -> Result<ExitStatus, EnvoyError> {
        self.child.stop(std::time::Duration::from_secs(5))
    }
}
