//! The file under the log, and what can go wrong with it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Something that bytes can be appended to durably. A trait so that tests can make a disk fail.
pub trait Medium: Send + 'static {
    /// Its length now.
    ///
    /// # Errors
    /// Also when it is no longer what the operator sees at its path.
    fn length(&self) -> io::Result<u64>;
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything appended so far would survive a power failure.
    fn sync(&mut self) -> io::Result<()>;
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// An audit file, held under an exclusive lock.
#[derive(Debug)]
pub struct AuditFile {
    file: File,
    path: PathBuf,
}

// === impl AuditFile ===

impl AuditFile {
    /// Opens the file for appending; creates it with mode 0600.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        file.try_lock().map_err(|fault| match fault {
            std::fs::TryLockError::WouldBlock => {
                io::Error::other("another custody is writing to it; each needs its own file")
            }
            std::fs::TryLockError::Error(error) => error,
        })?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Medium for AuditFile {
    fn length(&self) -> io::Result<u64> {
        let own = self.file.metadata()?;
        // A file that was moved away or deleted would take records nobody finds.
        let there = std::fs::metadata(&self.path)?;
        if (own.dev(), own.ino()) != (there.dev(), there.ino()) {
            return Err(io::Error::other(
                "the file was replaced; restart custody to use the new one",
            ));
        }
        Ok(own.len())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // Enough for an append: the length is among what sync_data makes durable.
        self.file.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_data()
    }
}
