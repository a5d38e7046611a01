//! The statuses a host function returns.

use std::fmt;
use std::str::FromStr;

/// `WasmResult` of proxy-wasm ABI 0.2.1; the discriminant is the number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    ParseFailure = 4,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    InternalFailure = 10,
    Unimplemented = 12,
}

/// The text names no status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownStatus(String);

// === impl Status ===

impl Status {
    /// Every status there is, for sweeps.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::NotFound,
        Self::BadArgument,
        Self::SerializationFailure,
        Self::ParseFailure,
        Self::InvalidMemoryAccess,
        Self::Empty,
        Self::CasMismatch,
        Self::InternalFailure,
        Self::Unimplemented,
    ];

    /// The number the guest gets.
    pub const fn code(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    /// By name (`BadArgument`) or number (`2`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |status: &Self| status.to_string() == text || status.code().to_string() == text;
        Self::ALL.into_iter().find(named).ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

// === impl UnknownStatus ===

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a status; one of ", self.0)?;
        for (n, status) in Status::ALL.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{status}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownStatus {}
