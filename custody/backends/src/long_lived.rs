//! The secrets that backends themselves live on.

use super::BackendFault;
use async_trait::async_trait;
use custody_audit::AuditLog;
use custody_base::actor::Actor;
use custody_ledger::Ledger;
use lease::{Handle, Secret};
use std::sync::Arc;

/// A secret, and which it is.
pub struct StoredSecret {
    pub secret: Secret,
    pub version: u64,
    /// Another one if somebody replaced the secret; the same if custody rotated it.
    pub origin: u64,
}

/// A client secret, a refresh token, an app's private key: in the sealed store, by handle. A backend
/// opens one for the moment in which it needs it.
#[async_trait]
pub trait LongLived: Send + Sync + 'static {
    /// # Errors
    /// [`BackendFault::Absent`] without one.
    async fn read(&self, actor: &Actor, handle: &Handle) -> Result<StoredSecret, BackendFault>;

    /// [`StoredSecret::origin`] as it is now; `None` without one.
    ///
    /// # Errors
    /// The store did not answer.
    async fn origin(&self, actor: &Actor, handle: &Handle) -> Result<Option<u64>, BackendFault>;

    /// Puts the next secret in the place of this version, with the type and origin it had. Durable
    /// when it returns. `false` if somebody replaced or deleted that version; then nothing changed.
    ///
    /// # Errors
    /// It is not certain that the new one is there.
    async fn replace(
        &self,
        actor: &Actor,
        handle: &Handle,
        version: u64,
        secret: &Secret,
    ) -> Result<bool, BackendFault>;
}

/// The parts of custody that a backend needs to mint tokens.
#[derive(Clone)]
pub struct MintingStores {
    /// Where the secrets are that it mints from.
    pub secrets: Arc<dyn LongLived>,
    /// The changes that end its tokens, and the locks of a rotation.
    pub ledger: Arc<dyn Ledger>,
    /// Where it records what it revokes.
    pub audit: AuditLog,
}
