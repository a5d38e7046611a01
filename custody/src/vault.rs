//! The sealed store as operators and workers see it: put, list, delete, wipe. Values leave it only
//! through a backend.

use crate::api::refusal::Refusal;
use async_trait::async_trait;
use custody_backends::sealed::{Listed, Rotated, SealedStore, StoreFault};
use custody_base::actor::Actor;
use custody_base::credential::Credential;
use lease::{Handle, UnixSeconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[async_trait]
pub trait Vault: Send + Sync + 'static {
    /// Seals and stores; the answer is the version.
    async fn put(
        &self,
        actor: &Actor,
        handle: &Handle,
        credential: Credential,
    ) -> Result<u64, VaultFault>;
    /// Everything but the secrets, in order of actor and handle.
    async fn list(&self) -> Result<Vec<CredentialShown>, VaultFault>;
    /// `false` if there was none.
    async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, VaultFault>;
    /// Deletes everything of this actor; how many.
    async fn wipe(&self, actor: &Actor) -> Result<u64, VaultFault>;
    /// Seals everything anew under the root key as it is now.
    async fn rotate(&self) -> Result<Rotated, VaultFault>;
}

/// What may be shown of a stored credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialShown {
    pub actor: String,
    pub handle: String,
    /// Grows with every put; never used twice.
    pub version: u64,
    /// As in `credential`: `bearer`, `basic`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// What else may be read of it, for people: a user name, a header's name.
    pub shape: String,
    pub stored_at: UnixSeconds,
}

/// The store did not do it. The text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct VaultFault(pub String);

// === impl VaultFault ===

impl From<VaultFault> for Refusal {
    fn from(VaultFault(text): VaultFault) -> Self {
        Self::unavailable("store_unavailable", text)
    }
}

/// The sealed store itself.
pub struct SealedVault(pub Arc<SealedStore>);

#[async_trait]
impl Vault for SealedVault {
    async fn put(
        &self,
        actor: &Actor,
        handle: &Handle,
        credential: Credential,
    ) -> Result<u64, VaultFault> {
        Ok(self.0.put(actor, handle, &credential).await?)
    }

    async fn list(&self) -> Result<Vec<CredentialShown>, VaultFault> {
        Ok(self.0.list().await?.into_iter().map(CredentialShown::from).collect())
    }

    async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, VaultFault> {
        Ok(self.0.delete(actor, handle).await?)
    }

    async fn wipe(&self, actor: &Actor) -> Result<u64, VaultFault> {
        Ok(self.0.wipe(actor).await?)
    }

    async fn rotate(&self) -> Result<Rotated, VaultFault> {
        Ok(self.0.rotate().await?)
    }
}

impl From<StoreFault> for VaultFault {
    fn from(fault: StoreFault) -> Self {
        Self(fault.to_string())
    }
}

impl From<Listed> for CredentialShown {
    fn from(listed: Listed) -> Self {
        let Listed { actor, handle, version, shape, stored_at } = listed;
        let (kind, shape) = (shape.kind().name().to_owned(), shape.to_string());
        Self { actor, handle, version, kind, shape, stored_at }
    }
}
