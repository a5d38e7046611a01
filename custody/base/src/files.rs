//! Files that are read by their owner, and perhaps its group, and by nobody else.

use rustix::fs::Access;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Reading a private file failed; every text names the file, and the fix where there is one.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{path}: others may read or change it (mode {mode:04o}); fix: chmod 600 {path}",
        path = path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{}: is there already, and is not overwritten", .0.display())]
    Exists(PathBuf),
    #[error("{}: larger than {limit} bytes; is this the right file?", path.display())]
    TooLarge { path: PathBuf, limit: u64 },
}

/// Identifies one state of some files: device, inode, length and time of change of each, or that it is
/// absent. Of a symbolic link, those of the file it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Vec<Option<State>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

const LIMIT: u64 = 1 << 20;
/// Writing by the group, anything by others. Kubernetes hands secrets to a pod through its group
/// (`fsGroup`).
const FORBIDDEN: u32 = 0o037;

// === impl Stamp ===

impl Stamp {
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let of = |file: fs::Metadata| State {
            device: file.dev(),
            inode: file.ino(),
            length: file.len(),
            changed: (file.ctime(), file.ctime_nsec()),
        };
        Self(paths.into_iter().map(|path| fs::metadata(path).ok().map(of)).collect())
    }

    /// Whether every file is there.
    pub fn is_whole(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }
}

/// Are these of one file, under any name?
pub fn is_same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The whole of a private file, at most 1 MiB.
///
/// The mode is asked of the opened file, so that it cannot change in between.
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileFault> {
    let io = |source| FileFault::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    // Its mode is no fault of a folder's.
    if metadata.is_dir() {
        return Err(io(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.mode() & FORBIDDEN != 0 {
        return Err(FileFault::Exposed { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    if metadata.len() > LIMIT {
        return Err(FileFault::TooLarge { path: path.to_owned(), limit: LIMIT });
    }
    // Sized up front: a vector that grows leaves copies of the secret behind.
    let room = usize::try_from(metadata.len()).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LIMIT).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Creates a file of mode 0600; one that is there already is an error, never overwritten. A file that cannot
/// be written whole is absent afterwards.
pub fn create_private(path: &Path, contents: &[u8]) -> Result<(), FileFault> {
    create(path, contents, 0o600)
}

/// Creates a file that everybody may read (mode 0644 less the umask); never overwrites.
pub fn create_public(path: &Path, contents: &[u8]) -> Result<(), FileFault> {
    create(path, contents, 0o644)
}

fn create(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileFault> {
    let io = |source| FileFault::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(mode).open(path);
    let mut file = created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => FileFault::Exists(path.to_owned()),
        _ => io(error),
    })?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a file would be in the way of the next try, or be taken for a whole one.
        let _ = fs::remove_file(path);
        io(error)
    })
}

/// Creates a folder (and those above it) of mode 0700, if it is not there.
pub fn create_private_folder(path: &Path) -> Result<(), FileFault> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| FileFault::Io { path: path.to_owned(), source })
}

/// Could this file be written to, or be made where it is missing? Nothing is touched.
///
/// # Errors
/// The folder is not there, or the one or the other is not ours to write to.
pub fn check_writable(path: &Path) -> Result<(), FileFault> {
    let (place, rights) = match path.exists() {
        true => (path, Access::WRITE_OK),
        false => (folder_of(path), Access::WRITE_OK | Access::EXEC_OK),
    };
    rustix::fs::access(place, rights)
        .map_err(|error| FileFault::Io { path: place.to_owned(), source: error.into() })
}

/// Makes the creation, renaming or removal of a file in this folder survive a power failure.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_others_may_read_is_refused_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        create_private(&path, b"x").unwrap();
        assert_eq!(&*read_private(&path).unwrap(), b"x");
        for (mode, fine) in
            [(0o604, false), (0o620, false), (0o644, false), (0o440, true), (0o400, true)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match read_private(&path) {
                Ok(_) => assert!(fine, "{mode:o}"),
                Err(fault) => {
                    assert!(!fine, "{mode:o}");
                    let text = fault.to_string();
                    assert!(text.contains(&format!("chmod 600 {}", path.display())), "{text}");
                    assert!(text.contains(&format!("{mode:04o}")), "{text}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        create_private(&path, b"first").unwrap();
        let fault = create_private(&path, b"second").unwrap_err().to_string();
        assert!(fault.ends_with("a: is there already, and is not overwritten"), "{fault}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
}
