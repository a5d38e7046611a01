//! A child process that never outlives us, however we end.
//!
//! A second child, the *leash*, is a shell that reads a pipe we hold the other end of. When we
//! let go (on purpose, or because the kernel closed it when we were killed) it sends SIGTERM to
//! the first, waits for a while, then SIGKILL. Linux has `PR_SET_PDEATHSIG` for this; it needs
//! `unsafe` code between fork and exec, fires when the *thread* that forked ends, and exists
//! nowhere else.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::EnvoyError;

/// A child on a leash: stopped when dropped, and when this process dies in any way.
#[derive(Debug)]
pub struct Leashed {
    pid: u32,
}

// === impl Leashed ===

impl Leashed {
    /// Starts `command` in a process group of its own (so that a Ctrl-C at the terminal reaches
    /// only us, and the order in which things stop is ours). `name` is used in errors.
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the command or the leash's shell cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self, EnvoyError> {
        let _ = (name, command);
        Err(EnvoyError::Fetch { step: "spawn", reason: "being written".to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when the system will not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, EnvoyError> {
        Ok(None)
    }

    /// SIGTERM, then after `grace` SIGKILL; returns when it is gone.
    ///
    /// # Errors
    /// [`EnvoyError::Io`] when it cannot be waited for.
    pub fn stop(self, grace: Duration) -> Result<ExitStatus, EnvoyError> {
        let _ = grace;
        Err(EnvoyError::Fetch { step: "stop", reason: "being written".to_owned() })
    }
}
