//! The store does not open, or does not serve.

use super::root_key::RootKeyFault;
use super::signer::SignerFault;
use crate::BackendFault;
use custody_base::actor::Actor;
use custody_base::credential::CredentialFault;
use custody_ledger::{LedgerFault, LedgerPlace};
use lease::Handle;

/// The store cannot be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    #[error("{field}: {fault}")]
    RootKey { field: String, fault: RootKeyFault },
    #[error(
        "{0} sealed values of this store, and no root key that is given is this one: the key in \
         store.root_key did not seal this store; fix: give it the key it was made with, or list \
         that in store.previous_root_keys"
    )]
    WrongKey(String),
    #[error("the store has no key yet; the first custody cred put, or serve, adds it")]
    NoKey,
    #[error("store.signer.transit: {0}")]
    Transit(String),
    #[error("the operating system gave no randomness")]
    Randomness,
    #[error("the credential cannot be stored: {0}")]
    Credential(#[from] CredentialFault),
    #[error("{0}")]
    Signer(#[from] SignerFault),
    #[error("a row of the store does not read: {0}")]
    Row(&'static str),
    #[error(
        "{handle} of actor {actor}: {fault}; fix: store it again (custody cred put) or delete it, \
         then rotate again"
    )]
    Stuck { actor: Actor, handle: Handle, fault: Box<StoreFault> },
    #[error("others change every value before it is sealed again; rotate again later")]
    Busy,
}

// === impl StoreFault ===

impl StoreFault {
    /// With the field of the configuration in front.
    pub fn told_of(&self, place: &LedgerPlace) -> String {
        match self {
            Self::RootKey { .. } | Self::Transit(_) => self.to_string(),
            Self::Signer(fault) => format!("store.signer.transit: {fault}"),
            _ => format!("{place}: {self}"),
        }
    }
}

impl From<StoreFault> for BackendFault {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::Ledger(LedgerFault::Down(text))
            | StoreFault::Signer(SignerFault::Down(text)) => Self::Down(text),
            other => Self::Unreadable(other.to_string()),
        }
    }
}
