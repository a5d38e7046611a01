//! The folder of one stack: configuration, keys and logs.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::built::Built;

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
        let parent = built.target().join("stack");
        fs::create_dir_all(&parent).with_context(|| parent.display().to_string())?;
        let folder = tempfile::Builder::new()
            .prefix("stack-")
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

fn private(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("making {}", path.display()))
}
