//! The signer inside custody: keys derived from a root key.

use super::envelope;
use super::root_key::StoreKeys;
use super::signer::{Signer, SignerFault};
use async_trait::async_trait;
use custody_base::actor::Actor;
use lease::Secret;

/// A root key with the salt of one store.
pub struct LocalSigner {
    id: String,
    keys: StoreKeys,
}

// === impl LocalSigner ===

impl LocalSigner {
    pub fn new(id: String, keys: StoreKeys) -> Self {
        Self { id, keys }
    }
}

#[async_trait]
impl Signer for LocalSigner {
    fn key_id(&self) -> &str {
        &self.id
    }

    async fn seal(
        &self,
        actor: &Actor,
        aad: &[u8],
        secret: &Secret,
    ) -> Result<Vec<u8>, SignerFault> {
        envelope::seal(&self.keys.of_actor(actor)?, aad, secret)
    }

    async fn unseal(
        &self,
        actor: &Actor,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Secret, SignerFault> {
        envelope::open(&self.keys.of_actor(actor)?, aad, sealed)
    }
}
