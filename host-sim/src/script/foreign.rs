//! Foreign functions as hosts other than Envoy have them.

use crate::status::Status;

/// What a foreign function does whenever it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// The host has none of that name.
    Missing,
    /// It answers these bytes.
    Gives(Vec<u8>),
}

// === impl Foreign ===

impl Foreign {
    pub(crate) fn answer(self) -> Result<Vec<u8>, Status> {
        match self {
            Self::Missing => Err(Status::NotFound),
            Self::Gives(bytes) => Ok(bytes),
        }
    }
}
