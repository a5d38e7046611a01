//! The settings of the backends and of the sources of credentials.

use crate::exec::{CommandRequest, Program, ProgramFault};
use crate::github_app::Installation;
use crate::oauth::{Client, TokenRequest};
use crate::openbao::{OpenBao, OpenBaoSource};
use custody_base::actor::Actor;
use custody_base::outbound::{Endpoint, Reach, ReachFault};
use lease::Handle;
use std::collections::BTreeMap;

/// The name of the store of custody's own, which is always there.
pub const SEALED: &str = "sealed";

/// All backends but the sealed store, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backends(pub BTreeMap<String, Backend>);

/// One backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    OpenBao(OpenBao),
    OAuth2(OAuth2),
    GitHubApp(AppOnGitHub),
    Exec(Program),
}

/// A backend cannot be made. The text begins with the field.
#[derive(Debug, thiserror::Error)]
pub enum BackendUnusable {
    #[error("{0}")]
    Reach(#[from] ReachFault),
    #[error("{0}")]
    Program(#[from] ProgramFault),
}

/// A server, and who custody is to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2 {
    pub place: OAuth2Place,
    pub reach: Reach,
    pub client: Client,
    /// Of a token whose answer has no life, in seconds.
    pub lifetime: Option<u64>,
}

/// How its token endpoint is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OAuth2Place {
    /// By the metadata of this issuer (RFC 8414).
    Issuer(String),
    TokenEndpoint {
        token: Endpoint,
        revocation: Option<Endpoint>,
    },
}

/// An app on a GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppOnGitHub {
    pub api: Endpoint,
    pub reach: Reach,
    pub app_id: String,
    pub private_key: (Actor, Handle),
}

/// The sources of the handles that have their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials(pub BTreeMap<Handle, SourcePair>);

/// Where a credential comes from, and from where if that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePair {
    pub primary: SourceAt,
    pub backup: Option<SourceAt>,
}

/// A place in a backend of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAt {
    pub backend: String,
    pub of: SourceOf,
}

/// Where one handle's credential is in a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOf {
    Sealed,
    OpenBao(OpenBaoSource),
    OAuth2(TokenRequest),
    GitHubApp(Installation),
    Exec(CommandRequest),
}

// === impl Backend ===

impl Backend {
    /// Looks at the files that it names. Nothing is connected or run.
    ///
    /// # Errors
    /// A file that it names does not serve.
    pub fn check(&self) -> Result<(), BackendUnusable> {
        match self {
            Self::OpenBao(OpenBao { reach, .. })
            | Self::OAuth2(OAuth2 { reach, .. })
            | Self::GitHubApp(AppOnGitHub { reach, .. }) => {
                reach.client()?;
            }
            Self::Exec(program) => program.check()?,
        }
        Ok(())
    }
}
