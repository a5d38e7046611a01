//! The file does not open.

use std::path::Path;

/// The file cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    #[error(transparent)]
    File(#[from] custody_base::files::FileFault),
    #[error("SQLite: {}", message_of(.0))]
    Sqlite(#[from] rusqlite::Error),
    #[error("the file belongs to another program; give store.path another name")]
    Foreign,
    #[error("the file has layout {0}, which is newer than this custody; use the newer custody")]
    Newer(i64),
    #[error("a thread for it cannot be started: {0}")]
    Thread(std::io::Error),
}

// === impl OpenFault ===

impl OpenFault {
    /// With the file it is about.
    pub fn of(&self, path: &Path) -> String {
        match self {
            // It names the file itself.
            Self::File(fault) => fault.to_string(),
            other => format!("{}: {other}", path.display()),
        }
    }
}

/// The error of SQLite when a file does not open, and its likely cause.
fn message_of(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode as Code;
    let hint = match error.sqlite_error_code() {
        Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => {
            "; custody must be able to write to the file and to its folder"
        }
        Some(Code::SystemIoFailure | Code::DiskFull) => "; is the disk full, or failing?",
        Some(Code::DatabaseCorrupt) => "; the file is damaged or cut off: restore it from a backup",
        Some(Code::DatabaseBusy) => "; another process holds it: end that, and try again",
        _ => "",
    };
    format!("{error}{hint}")
}
