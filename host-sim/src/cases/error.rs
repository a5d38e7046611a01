//! What is wrong with a case, as opposed to with the module.

use crate::error::Error;
use std::path::PathBuf;
use thiserror::Error as ThisError;

/// One line for people each.
#[derive(Debug, ThisError)]
pub enum CaseError {
    #[error("{}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{}: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error("case {case:?}: {reason}")]
    Case { case: String, reason: String },
    /// The module did not start under this case's configuration.
    #[error("case {case:?}: {error}")]
    Module { case: String, error: Box<Error> },
}

// === impl CaseError ===

impl CaseError {
    pub(crate) fn case(case: &str, reason: impl ToString) -> Self {
        Self::Case { case: case.to_owned(), reason: reason.to_string() }
    }
}
