//! The folder of one stack: configuration, keys and logs.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use crate::built::Built;

/// The folder, in the target folder, of the stacks that do not stay.
const STACKS: &str = "stack";
/// Before the id of the process a stack's folder belongs to.
const PREFIX: &str = "stack-";

/// Where a stack keeps its files.
pub struct Folder {
    path: PathBuf,
    /// A folder of its own goes away with the stack, unless a test has failed: then its logs are
    /// what is looked for.
    temporary: Option<TempDir>,
}

// === impl Folder ===

impl Folder {
    /// A new folder under `target/stack`, removed when the stack is dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn temporary(built: &Built) -> Result<Self> {
        let parent = built.target().join(STACKS);
        fs::create_dir_all(&parent).with_context(|| parent.display().to_string())?;
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .with_context(|| format!("a folder under {}", parent.display()))?;
        let path = folder.path().to_owned();
        Self { path, temporary: Some(folder) }.with_logs()
    }

    /// A folder that stays, made with mode 0700 if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn kept(path: &Path) -> Result<Self> {
        private(path)?;
        Self { path: path.to_owned(), temporary: None }.with_logs()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in this folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder `name` in this one, made if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        private(&path)?;
        Ok(path)
    }

    /// The log of the program `name`.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// Writes `text` to the file `name`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.file(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }

    fn with_logs(self) -> Result<Self> {
        self.folder("logs").map(|_| self)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(mut folder) = self.temporary.take()
        {
            folder.disable_cleanup(true);
            eprintln!("the stack's logs are kept in {}", self.path.display());
        }
    }
}

/// Removes the folders of stacks whose process is no more: those of failed tests, and of programs
/// that were killed. One that cannot be removed (somebody else may be at it) is in nobody's way.
pub fn sweep(built: &Built) {
    let found = fs::read_dir(built.target().join(STACKS)).into_iter().flatten().flatten();
    for folder in found {
        if owner(&folder.file_name().to_string_lossy()).is_some_and(is_gone) {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// The process a folder of this name belongs to.
fn owner(name: &str) -> Option<Pid> {
    let (pid, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    Pid::from_raw(pid.parse().ok()?)
}

fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid) == Err(Errno::SRCH)
}

/// A new folder `name` in `parent`, for one server alone; its path from the root, for programs that
/// run in a folder of their own.
///
/// # Errors
/// It is there already, or cannot be made.
pub fn own(parent: &Path, name: &str) -> Result<PathBuf> {
    let path = parent.canonicalize().with_context(|| parent.display().to_string())?.join(name);
    DirBuilder::new()
        .mode(0o700)
        .create(&path)
        .with_context(|| format!("making {}: it is for one server alone", path.display()))?;
    Ok(path)
}

fn private(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("making {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_whose_it_is() {
        let us = std::process::id().to_string();
        let ours = owner(&format!("{PREFIX}{us}-Ab3")).unwrap();
        assert_eq!(ours.as_raw_pid().to_string(), us);
        assert!(!is_gone(ours));
        assert_eq!(owner("stack-Ab3"), None);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        child.wait().unwrap();
        assert!(is_gone(pid));
    }
}
