//! The sealed store as a backend. It is always there, and called `sealed`.

use super::{Asked, BackendFault, CredentialBackend, LongLived};
use crate::actor::Actor;
use crate::config::SEALED;
use crate::credential::Resolved;
use crate::sealed::SealedStore;
use async_trait::async_trait;
use lease::{Handle, Secret};
use std::sync::Arc;

pub struct SealedBackend(pub Arc<SealedStore>);

#[async_trait]
impl CredentialBackend for SealedBackend {
    fn name(&self) -> &str {
        SEALED
    }

    /// What is in it nobody knows without looking.
    fn is_capable(&self, _: &Asked<'_>) -> bool {
        true
    }

    async fn resolve(&self, asked: &Asked<'_>) -> Result<Resolved, BackendFault> {
        asked.narrow.refuse()?;
        let credential = self.0.resolve(asked.actor, asked.handle).await?;
        let (target, scope) = (None, Vec::new());
        Ok(Resolved { credential, target, scope, expires_at: None, revocation: None })
    }

    /// A stored value has no life of its own that could end.
    async fn revoke(&self, _: &str) {}
}

#[async_trait]
impl LongLived for SealedBackend {
    async fn read(&self, actor: &Actor, handle: &Handle) -> Result<Secret, BackendFault> {
        Ok(self.0.resolve(actor, handle).await?.secret())
    }

    async fn replace(
        &self,
        actor: &Actor,
        handle: &Handle,
        secret: &Secret,
    ) -> Result<(), BackendFault> {
        let shape = self.0.resolve(actor, handle).await?.shape();
        let credential = shape
            .with(secret.duplicate())
            .map_err(|fault| BackendFault::Unreadable(fault.to_string()))?;
        let stored = self.0.put(actor, handle, &credential).await;
        stored.map(drop).map_err(|fault| BackendFault::Down(fault.to_string()))
    }
}
