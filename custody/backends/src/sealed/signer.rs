//! The holders of the keys.

use async_trait::async_trait;
use custody_base::actor::Actor;
use lease::Secret;

/// Seals and unseals under a key per actor that never leaves it.
#[async_trait]
pub trait Signer: Send + Sync + 'static {
    /// The name by which a row refers to its signer ([`custody_ledger::KeyRow::id`]).
    fn key_id(&self) -> &str;

    /// `aad`: what the sealed value is tied to; it opens with the same again, and only so.
    ///
    /// # Errors
    /// [`SignerFault`]; nothing is sealed.
    async fn seal(
        &self,
        actor: &Actor,
        aad: &[u8],
        secret: &Secret,
    ) -> Result<Vec<u8>, SignerFault>;

    /// # Errors
    /// [`SignerFault`].
    async fn unseal(&self, actor: &Actor, aad: &[u8], sealed: &[u8])
    -> Result<Secret, SignerFault>;
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignerFault {
    /// AES-GCM does not distinguish a wrong key from a changed byte.
    #[error("the sealed value was changed, moved, or sealed with another key")]
    Unopened,
    #[error("the operating system gave no randomness")]
    Randomness,
    #[error("failed to derive a key from the root key (HKDF-SHA256)")]
    Derivation,
    /// It is elsewhere, and not to be reached or not in order.
    #[error("the signer: {0}")]
    Down(String),
    #[error("the signer: {0}")]
    Denied(String),
}
