//! The program that a backend runs.

use custody_base::actor::Actor;
use lease::Handle;
use rustix::fs::{Access, access};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// A program, and how custody runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Absolute: custody searches no `PATH`.
    pub path: PathBuf,
    /// In front of the arguments of a credential.
    pub arguments: Vec<String>,
    /// The whole environment of the program.
    pub environment: BTreeMap<String, Variable>,
    /// How long it may run.
    pub limit: Duration,
    /// How long custody uses a value that names no end.
    pub keep: Duration,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    Text(String),
    /// In the sealed store.
    Stored {
        actor: Actor,
        handle: Handle,
    },
}

/// The program cannot be used. The text begins with its field.
#[derive(Debug, thiserror::Error)]
pub enum ProgramFault {
    #[error("command[0]: {}: {source}", path.display())]
    Unusable { path: PathBuf, source: io::Error },
    #[error(
        "command[0]: {path}: others may change it (mode {mode:04o}); fix: chmod go-w {path}",
        path = path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
}

/// Writing by the group or by others: they would run their own program with custody's secrets.
const FORBIDDEN: u32 = 0o022;

// === impl Program ===

impl Program {
    /// # Errors
    /// There is no such program, custody may not run it, or others may change it.
    pub fn check(&self) -> Result<(), ProgramFault> {
        let unusable = |source| ProgramFault::Unusable { path: self.path.clone(), source };
        let metadata = fs::metadata(&self.path).map_err(unusable)?;
        if metadata.is_dir() {
            return Err(unusable(io::ErrorKind::IsADirectory.into()));
        }
        access(&self.path, Access::EXEC_OK).map_err(|error| unusable(error.into()))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & FORBIDDEN != 0 {
            return Err(ProgramFault::Exposed { path: self.path.clone(), mode });
        }
        Ok(())
    }
}
