//! Events for the log. No event holds a token or a key.

use session::KeyChange;
use std::fmt;

/// Something that no request shows.
#[derive(Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// `left_out`: why which entries of the set are not used. The change is empty where that alone is new.
    KeysChanged {
        issuer: String,
        change: KeyChange,
        left_out: Vec<String>,
    },
    KeysNotFetched {
        issuer: String,
        fault: String,
        left: Left,
    },
    /// Custody refuses the name of a session in use, also in a report with no other name.
    SessionNotReported,
}

/// The keys that are left when the set cannot be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    TheLastGood,
    /// The last good ones were kept for as long as they may be.
    TooOld,
    /// There have never been any.
    None,
}

// === impl LogEvent ===

impl LogEvent {
    /// Sessions are refused because of it.
    pub fn is_grave(&self) -> bool {
        matches!(self, Self::KeysNotFetched { left: Left::TooOld | Left::None, .. })
    }
}

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeysChanged { issuer, change, left_out } => {
                match change.is_empty() {
                    true => write!(f, "the session keys of {issuer} are as before")?,
                    false => write!(f, "the session keys of {issuer} changed: {change}")?,
                }
                if !left_out.is_empty() {
                    write!(f, "; not used: {}", left_out.join("; "))?;
                }
                Ok(())
            }
            Self::KeysNotFetched { issuer, fault, left } => {
                let (what, then) = match left {
                    Left::TheLastGood => ("no new session keys", "the last good ones stay"),
                    Left::TooOld => ("no session keys for too long", "its sessions are refused"),
                    Left::None => ("no session keys yet", "its sessions are refused"),
                };
                write!(f, "{what} from {issuer}, {fault}; {then}")
            }
            Self::SessionNotReported => f.write_str(
                "failed to report a session in use: custody refuses its name; the session may end as idle",
            ),
        }
    }
}
