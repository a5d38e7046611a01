//! How a server is reached, and what is read from it.

use custody_base::credential::CredentialType;
use custody_base::outbound::{Endpoint, Reach};
use lease::HeaderName;
use std::path::PathBuf;

/// A server and how custody logs in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBao {
    pub address: Endpoint,
    pub reach: Reach,
    /// `X-Vault-Namespace` of every call.
    pub namespace: Option<String>,
    pub auth: OpenBaoAuth,
}

/// How custody logs in. Files are read at every login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenBaoAuth {
    AppRole {
        mount: String,
        role_id_file: PathBuf,
        secret_id_file: PathBuf,
        /// The file of the SecretID holds a wrapping token.
        is_wrapped: bool,
    },
    Jwt {
        mount: String,
        role: String,
        jwt_file: PathBuf,
    },
    /// A token that somebody else keeps alive; read again when the file changes.
    TokenFile {
        path: PathBuf,
        /// The file holds a wrapping token.
        is_wrapped: bool,
    },
}

/// The parts of one handle's credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBaoSource {
    pub at: SecretPath,
    pub fields: Fields,
}

/// Where it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPath {
    /// `MOUNT/PATH` of a KV store of version 1.
    KvOne { mount: String, path: String },
    /// `MOUNT/data/PATH` of a KV store of version 2; `version` `None`: the newest.
    Kv { mount: String, path: String, version: Option<u64> },
    /// Any path whose answer has a lease.
    Dynamic { path: String },
}

/// Which field of the answer is which part of the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    Bearer {
        token: String,
    },
    Basic {
        user: String,
        password: String,
    },
    ApiKey {
        header: HeaderName,
        key: String,
    },
    HeaderSet(Vec<(HeaderName, String)>),
    SshCertificate {
        certificate: String,
        private_key: String,
    },
    /// The cache as base64.
    KerberosTicket {
        principal: String,
        ccache: String,
    },
    Opaque {
        bytes: String,
    },
}

// === impl Fields ===

impl Fields {
    pub const fn kind(&self) -> CredentialType {
        match self {
            Self::Bearer { .. } => CredentialType::Bearer,
            Self::Basic { .. } => CredentialType::Basic,
            Self::ApiKey { .. } => CredentialType::ApiKey,
            Self::HeaderSet(_) => CredentialType::HeaderSet,
            Self::SshCertificate { .. } => CredentialType::SshCertificate,
            Self::KerberosTicket { .. } => CredentialType::KerberosTicket,
            Self::Opaque { .. } => CredentialType::Opaque,
        }
    }
}
