//! The file under the log, and what can go wrong with it.

use crate::segments::{closed_name, next_name};
use custody_base::files;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
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
    /// Closes the segment and goes on in one that holds this header alone. It is durable after the next
    /// [`sync`](Self::sync). After an error the old segment goes on, or [`length`](Self::length) fails.
    fn rotate(&mut self, header: &[u8]) -> io::Result<()>;
    /// Goes on in a new file if somebody has moved this one away; `false` if nobody has.
    fn reopen(&mut self) -> io::Result<bool>;
}

/// An audit file, held under an exclusive lock.
#[derive(Debug)]
pub struct AuditFile {
    file: File,
    path: PathBuf,
    /// The folder names the file durably.
    is_named: bool,
}

// === impl AuditFile ===

impl AuditFile {
    /// Opens the file for appending; creates it with mode 0600.
    pub fn open(path: &Path) -> io::Result<Self> {
        let is_named = path.exists();
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        file.try_lock().map_err(|fault| match fault {
            fs::TryLockError::WouldBlock => {
                io::Error::other("another custody is writing to it; each needs its own file")
            }
            fs::TryLockError::Error(error) => error,
        })?;
        Ok(Self { file, path: path.to_owned(), is_named })
    }

    /// The log at this path, when custody died in a rotation too. Until the old segment has its new name
    /// the rotation has not happened, and after that it is finished.
    pub fn recover(path: &Path) -> io::Result<Self> {
        let next = next_name(path);
        if path.exists() || !next.exists() {
            let file = Self::open(path)?;
            remove_if_there(&next)?;
            return Ok(file);
        }
        // Held before it is renamed: another custody may be in the middle of its rotation.
        let file = Self::open(&next)?;
        fs::rename(&next, path)?;
        files::sync_folder_of(path)?;
        Ok(Self { path: path.to_owned(), ..file })
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Medium for AuditFile {
    fn length(&self) -> io::Result<u64> {
        let own = self.file.metadata()?;
        // A file that was moved away or deleted would take records nobody finds.
        let there = fs::metadata(&self.path)?;
        if !files::is_same_file(&own, &there) {
            return Err(io::Error::other(
                "the file was moved away; send SIGHUP to custody to begin a new one",
            ));
        }
        Ok(own.len())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // Enough for an append: the length is among what sync_data makes durable.
        self.file.sync_data()?;
        if !self.is_named {
            files::sync_folder_of(&self.path)?;
            self.is_named = true;
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_data()
    }

    fn rotate(&mut self, header: &[u8]) -> io::Result<()> {
        let (closed, next) = (closed_name(&self.path)?, next_name(&self.path));
        if closed.exists() {
            return Err(io::Error::other(format!("{} is there already", closed.display())));
        }
        remove_if_there(&next)?;
        let begin = || -> io::Result<File> {
            let mut begun = Self::open(&next)?;
            begun.append(header)?;
            begun.file.sync_all()?;
            fs::rename(&self.path, &closed)?;
            // Durably, before another file has the old name; a start finishes what is cut off from here on.
            files::sync_folder_of(&self.path)?;
            fs::rename(&next, &self.path)?;
            Ok(begun.file)
        };
        let begun = begin().inspect_err(|_| {
            if !self.path.exists() {
                let _ = fs::rename(&closed, &self.path);
            }
            let _ = fs::remove_file(&next);
        });
        (self.file, self.is_named) = (begun?, false);
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<bool> {
        if self.length().is_ok() {
            return Ok(false);
        }
        let new = Self::open(&self.path)?;
        if new.file.metadata()?.len() > 0 {
            return Err(io::Error::other(
                "another file with records is at the path; move it away, then send SIGHUP again",
            ));
        }
        *self = Self { is_named: false, ..new };
        Ok(true)
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
