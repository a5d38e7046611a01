//! Where credentials come from.

use crate::actor::Actor;
use crate::credential::Credential;
use lease::Handle;

/// Something that knows credentials by their handle.
///
/// It is asked only after the request was granted and the audit record is durable. Calls may block
/// on a disk or a network, so they run off the async threads.
pub trait Backend: Send + Sync + 'static {
    /// The credential of this handle.
    ///
    /// # Errors
    /// [`BackendFault`]; the caller turns all of them into "unavailable".
    fn resolve(&self, actor: &Actor, handle: &Handle) -> Result<Credential, BackendFault>;
}

/// Why a granted credential was not there. The texts go to the operator's log, never to the edge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendFault {
    #[error("no credential is stored under this handle; fix: custody cred put")]
    Absent,
    #[error("the credential cannot be opened: {0}")]
    Unreadable(String),
    #[error("the backend is not there: {0}")]
    Down(String),
}

// === impl BackendFault ===

impl BackendFault {
    /// A word for the audit log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Absent => "credential_absent",
            Self::Unreadable(_) => "credential_unreadable",
            Self::Down(_) => "backend_down",
        }
    }
}
