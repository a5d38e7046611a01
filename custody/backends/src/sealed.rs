//! The sealed store: credentials in the ledger, each under its actor's key.
//!
//! The ledger holds these in the clear: actor, handle, version, shape (which header, which user name),
//! the key's id and the time. The secret itself is in an [`envelope`] that only a [`signer`] opens.

mod backend;
pub mod envelope;
mod fault;
mod keyring;
mod local;
pub mod root_key;
mod rotation;
mod signer;
mod transit;

pub use backend::SealedBackend;
pub use fault::StoreFault;
pub use keyring::{NewKey, SealWith, Sealing};
pub use rotation::Rotated;
pub use signer::{Signer, SignerFault};

use crate::BackendFault;
use custody_base::actor::Actor;
use custody_base::clock;
use custody_base::credential::{Credential, Shape};
use custody_ledger::{Envelopes, Row};
use envelope::Place;
use keyring::Keyring;
use lease::{Handle, Secret};
use std::sync::Arc;

/// An open store.
pub struct SealedStore {
    ledger: Arc<dyn Envelopes>,
    keyring: Keyring,
}

/// The visible part of a stored credential: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Listed {
    pub actor: String,
    pub handle: String,
    /// Grows with every `put` into this store; never used twice.
    pub version: u64,
    #[serde(flatten)]
    pub shape: Shape,
    /// Unix seconds.
    pub stored_at: u64,
}

// === impl SealedStore ===

impl SealedStore {
    /// Opens the store in this ledger, and checks that its keys are at hand.
    ///
    /// # Errors
    /// A key is not, or the ledger or signer is not there.
    pub async fn open(
        ledger: Arc<dyn Envelopes>,
        sealing: &Sealing,
        new: NewKey,
    ) -> Result<Self, StoreFault> {
        let keyring = Keyring::open(Arc::clone(&ledger), sealing, new).await?;
        Ok(Self { ledger, keyring })
    }

    /// Stores or replaces a credential; the answer is its version.
    ///
    /// # Errors
    /// [`StoreFault`]; nothing is stored.
    pub async fn put(
        &self,
        actor: &Actor,
        handle: &Handle,
        credential: &Credential,
    ) -> Result<u64, StoreFault> {
        // A value that could never be leased is refused now, not when a guest waits for it.
        if credential.kind().is_headers() {
            credential.headers()?;
        }
        let shape =
            serde_json::to_string(&credential.shape()).map_err(|_| StoreFault::Row("the shape"))?;
        let signer = self.keyring.active().await?;
        let version = self.ledger.next_version().await?;
        let mut row = Row {
            actor: actor.clone(),
            handle: handle.clone(),
            version,
            origin: version,
            key: signer.key_id().to_owned(),
            shape,
            envelope: Vec::new(),
            stored_at: clock::now(),
        };
        row.envelope = signer.seal(actor, &place_of(&row).aad(), &credential.secret()).await?;
        // Of two at once the later version stays; both were stored.
        self.ledger.put(&row).await?;
        Ok(row.version)
    }

    /// The credential, opened; `None` without one.
    ///
    /// # Errors
    /// [`StoreFault`]
    pub async fn get(
        &self,
        actor: &Actor,
        handle: &Handle,
    ) -> Result<Option<Credential>, StoreFault> {
        match self.ledger.get(actor, handle).await? {
            Some(row) => self.open_row(actor, handle, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The ledger's row of this actor and handle, still sealed.
    ///
    /// # Errors
    /// [`StoreFault`]
    pub async fn row(&self, actor: &Actor, handle: &Handle) -> Result<Option<Row>, StoreFault> {
        Ok(self.ledger.get(actor, handle).await?)
    }

    /// Puts the next secret in the place of this version, which it carries on: the origin stays.
    /// `false` if another version, or none, is there by now; then nothing changed.
    ///
    /// # Errors
    /// [`StoreFault`]; it is not certain that the new one is there.
    pub async fn carry_on(
        &self,
        (actor, handle): (&Actor, &Handle),
        version: u64,
        secret: &Secret,
    ) -> Result<bool, StoreFault> {
        // Only a rotation of the root key comes between, once.
        for _ in 0..3 {
            let Some(old) = self.ledger.get(actor, handle).await? else { return Ok(false) };
            if old.version != version {
                return Ok(false);
            }
            let signer = self.keyring.active().await?;
            let mut row = Row {
                version: self.ledger.next_version().await?,
                key: signer.key_id().to_owned(),
                envelope: Vec::new(),
                stored_at: clock::now(),
                ..old.clone()
            };
            row.envelope = signer.seal(actor, &place_of(&row).aad(), secret).await?;
            if self.ledger.rewrap(&old, &row).await? {
                return Ok(true);
            }
        }
        Err(StoreFault::Busy)
    }

    async fn open_row(
        &self,
        actor: &Actor,
        handle: &Handle,
        row: Row,
    ) -> Result<Credential, StoreFault> {
        // The ledger may be anybody's; that it answers with another row is not believed.
        let row = Row { actor: actor.clone(), handle: handle.clone(), ..row };
        let secret = self.unseal(&row).await?;
        let shape: Shape =
            serde_json::from_str(&row.shape).map_err(|_| StoreFault::Row("the shape"))?;
        Ok(shape.with(secret)?)
    }

    /// Everything that is stored, in order of actor and handle.
    ///
    /// # Errors
    /// [`StoreFault`]
    pub async fn list(&self) -> Result<Vec<Listed>, StoreFault> {
        let listed = |Row { actor, handle, version, shape, stored_at, .. }| {
            let shape = serde_json::from_str(&shape).map_err(|_| StoreFault::Row("the shape"))?;
            Ok(Listed { actor: actor.into(), handle: handle.into(), version, shape, stored_at })
        };
        self.ledger.list().await?.into_iter().map(listed).collect()
    }

    /// Removes a credential; `false` if there was none.
    ///
    /// # Errors
    /// [`StoreFault`]
    pub async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, StoreFault> {
        Ok(self.ledger.delete(actor, handle).await?)
    }

    /// Removes everything of this actor; how many.
    ///
    /// # Errors
    /// [`StoreFault`]
    pub async fn wipe(&self, actor: &Actor) -> Result<u64, StoreFault> {
        Ok(self.ledger.wipe(actor).await?)
    }

    /// The credential, with its absence as a fault.
    ///
    /// # Errors
    /// [`BackendFault`]
    pub async fn resolve(
        &self,
        actor: &Actor,
        handle: &Handle,
    ) -> Result<Credential, BackendFault> {
        self.get(actor, handle).await?.ok_or(BackendFault::Absent)
    }

    /// The same of a row that was read already.
    ///
    /// # Errors
    /// [`BackendFault`]
    pub async fn resolve_row(
        &self,
        actor: &Actor,
        handle: &Handle,
        row: Option<Row>,
    ) -> Result<Credential, BackendFault> {
        let row = row.ok_or(BackendFault::Absent)?;
        Ok(self.open_row(actor, handle, row).await?)
    }

    async fn unseal(&self, row: &Row) -> Result<Secret, StoreFault> {
        let signer = self.keyring.of(&row.key).await?;
        Ok(signer.unseal(&row.actor, &place_of(row).aad(), &row.envelope).await?)
    }
}

fn place_of(row: &Row) -> Place<'_> {
    let Row { actor, handle, version, key, shape, .. } = row;
    Place { actor, handle, version: *version, shape, key }
}

#[cfg(test)]
mod tests;
