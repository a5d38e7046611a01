//! Where credentials come from.
//!
//! A handle may name one or two sources ([`resolver::Sources`]): a primary and, maybe, a backup. One
//! that names none is answered by the first registered backend that is capable.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing),
    deny(clippy::print_stdout)
)]

pub mod assembly;
pub mod exec;
pub mod openbao;
pub mod resolver;
pub mod sealed;
pub mod settings;

pub mod github_app;
mod live_tokens;
mod long_lived;
pub mod oauth;
mod rs256;
pub mod tokens;

pub use long_lived::{LongLived, MintingStores, StoredSecret};

use async_trait::async_trait;
use custody_base::actor::Actor;
use custody_base::credential::{CredentialType, Resolved};
use custody_base::outbound::CallFault;
use custody_base::snapshot::Snapshot;
use custody_ledger::Row;
use lease::{Authority, Handle, Secret, UnixSeconds};
use std::collections::BTreeMap;

/// A source of credentials by their handle.
///
/// It is asked only after the request was granted, reserved and audited.
#[async_trait]
pub trait CredentialBackend: Send + Sync + 'static {
    /// As the configuration calls it, `backends.NAME`. All sources of one backend share it.
    fn name(&self) -> &str;

    /// Could it answer this, as far as it can determine by itself? A capable backend that then denies
    /// or fails ends the search: nothing falls through to the next.
    fn is_capable(&self, asked: &CredentialRequest<'_>) -> bool;

    /// The credential.
    ///
    /// # Errors
    /// [`BackendFault`]; the edge gets "unavailable" for each.
    async fn resolve(&self, asked: &CredentialRequest<'_>) -> Result<Resolved, BackendFault>;

    /// Takes a credential back, as far as that is possible. It has nobody to report to: a lease
    /// that cannot be revoked at its source still ends by itself. Failures go to the log.
    async fn revoke(&self, revocation: &str);

    /// An upstream refused this credential. A backend that keeps values asks for a new one next time;
    /// any other has nothing to drop.
    fn forget(&self, _actor: &Actor, _handle: &Handle) {}

    /// Ends what is kept here and has lost what it was made from. Called about once a second; no
    /// lease depends on it.
    ///
    /// # Errors
    /// A dependency did not answer; the next call tries again.
    async fn sweep(&self) -> Result<(), BackendFault> {
        Ok(())
    }
}

/// A request for one credential.
pub struct CredentialRequest<'a> {
    /// Whose credential.
    pub actor: &'a Actor,
    pub handle: &'a Handle,
    /// The type, if the caller can use only this one; `None`: any that is made of headers.
    pub kind: Option<CredentialType>,
    /// Where it is going to be sent; `None` for a caller of the credential API.
    pub destination: Option<&'a Authority>,
    /// The Session JWT, for backends that exchange it (RFC 8693).
    pub session: Option<&'a Secret>,
    /// The part of the credential's power that the grant allows.
    pub restriction: &'a Restriction,
    /// When the lease shall end. A backend that can, makes its credential end with it.
    pub until: UnixSeconds,
    /// The row of the sealed store when the lease was admitted; `None` if it was not read.
    pub sealed: Option<&'a Snapshot<Option<Row>>>,
}

/// The part of a credential's power that a grant gives away. Empty: all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restriction {
    /// OAuth 2 scopes (RFC 6749 section 3.3).
    pub scopes: Vec<String>,
    /// GitHub repositories, by name, without owner.
    pub repositories: Vec<String>,
    /// GitHub App permissions: `contents: read`.
    pub permissions: BTreeMap<String, String>,
}

/// Why a granted credential was not there. The texts go to the operator's log, never to the edge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendFault {
    #[error("no credential is stored under this handle; fix: custody cred put")]
    Absent,
    #[error("the credential cannot be opened: {0}")]
    Unreadable(String),
    /// It answered with a refusal.
    #[error("the backend refuses: {0}")]
    Denied(String),
    #[error("the backend is not there: {0}")]
    Down(String),
    #[error("the command failed: {0}")]
    CommandFailed(String),
    /// The issuer replaced it, and custody does not have the next one.
    #[error("the refresh token is lost: {0}")]
    RefreshTokenLost(String),
    /// The issuer replaced it, and custody has the next one in memory alone.
    #[error(
        "the rotated refresh token cannot be stored: {0}; custody keeps it in memory and tries again \
         at the next request. Do not stop custody before that"
    )]
    RefreshTokenNotStored(String),
    #[error("no backend is registered that has credentials of type {}", kind.map_or("header", CredentialType::name))]
    NoBackendAvailable { kind: Option<CredentialType> },
    /// Its credential has no life left, more power than it may have, or a wrong form.
    #[error("the backend gave a credential that is not to be used: {0}")]
    Unfit(&'static str),
}

// === impl BackendFault ===

impl From<CallFault> for BackendFault {
    fn from(fault: CallFault) -> Self {
        Self::Down(fault.to_string())
    }
}

// === impl CredentialRequest ===

impl<'a> CredentialRequest<'a> {
    /// Any credential that is made of headers, for nobody in particular.
    pub fn of(
        actor: &'a Actor,
        handle: &'a Handle,
        restriction: &'a Restriction,
        until: UnixSeconds,
    ) -> Self {
        let (kind, destination, session, sealed) = (None, None, None, None);
        Self { actor, handle, kind, destination, session, restriction, until, sealed }
    }
}

// === impl Restriction ===

impl Restriction {
    pub fn is_empty(&self) -> bool {
        let Self { scopes, repositories, permissions } = self;
        scopes.is_empty() && repositories.is_empty() && permissions.is_empty()
    }

    /// For backends whose values have the power they have.
    ///
    /// # Errors
    /// Anything is to be left out.
    pub fn refuse(&self) -> Result<(), BackendFault> {
        if self.is_empty() {
            return Ok(());
        }
        Err(BackendFault::Denied(
            "the grant narrows it, and a stored value has all its power".into(),
        ))
    }
}

// === impl BackendFault ===

impl BackendFault {
    /// A word for the audit log.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Absent => "credential_absent",
            Self::Unreadable(_) => "credential_unreadable",
            Self::Denied(_) => "backend_denied",
            Self::Down(_) => "backend_down",
            Self::CommandFailed(_) => "command_failed",
            Self::RefreshTokenLost(_) => "refresh_token_lost",
            Self::RefreshTokenNotStored(_) => "refresh_token_not_stored",
            Self::NoBackendAvailable { .. } => "no_backend_available",
            Self::Unfit(_) => "credential_unfit",
        }
    }
}

impl From<getrandom::Error> for BackendFault {
    fn from(_: getrandom::Error) -> Self {
        Self::Down("this machine gives no randomness".into())
    }
}
