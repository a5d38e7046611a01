//! The file itself, before SQLite sees it.

use super::fault::OpenFault;
use custody_base::files::{self, FileFault};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Whether a file that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Create,
    Refuse,
}

const MAGIC: &[u8] = b"SQLite format 3\0";

/// Makes the file if it may be made, and refuses one that is not a database.
pub(super) fn prepare(path: &Path, missing: Missing) -> Result<(), OpenFault> {
    let io = |source| FileFault::Io { path: path.to_owned(), source };
    if missing == Missing::Create && !path.exists() {
        // SQLite would create it with a mode that others can read, and its journals take over the
        // mode of the file.
        match files::create_private(path, b"") {
            // Another custody that starts at the same time was faster.
            Err(_) if path.exists() => {}
            other => other?,
        }
        files::sync_folder_of(path).map_err(io)?;
    }
    // SQLite takes a file of less than a page, whatever it says, for an empty one and overwrites it.
    let mut begin = Vec::with_capacity(MAGIC.len());
    let file = File::open(path).map_err(io)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut begin).map_err(io)?;
    if begin.is_empty() || begin == MAGIC { Ok(()) } else { Err(OpenFault::Foreign) }
}
