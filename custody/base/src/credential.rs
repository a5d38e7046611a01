//! Credentials, by type.
//!
//! Some can be written as request headers; those are leased to the edge. The others are handed only
//! to callers of the credential API that ask for them by type.

mod authorization;
mod headers;
mod shape;

use crate::actor::Actor;
pub(crate) use authorization::{basic, bearer};
use lease::{Handle, HeaderFault, HeaderName, Secret, UnixSeconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use shape::Shape;
use std::fmt;

/// A secret, with what it takes to use it.
pub enum Credential {
    /// `authorization: Bearer TOKEN` (RFC 6750 section 2.1); also an OAuth 2 access token.
    Bearer { token: Secret },
    /// `authorization: Basic base64(USER:PASSWORD)` (RFC 7617 section 2).
    Basic { user: String, password: Secret },
    /// `HEADER: KEY`.
    ApiKey { header: HeaderName, key: Secret },
    /// Several headers that only work together.
    HeaderSet { headers: Vec<(HeaderName, Secret)> },
    /// An SSH certificate (OpenSSH text form) and the private key it certifies.
    SshCertificate { certificate: String, private_key: Secret },
    /// A Kerberos ticket: a credential cache (MIT ccache bytes) of this principal.
    KerberosTicket { principal: String, ccache: Secret },
    /// Bytes that custody does not understand.
    Opaque { bytes: Secret },
}

/// Of which kind a credential is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CredentialType {
    Bearer,
    Basic,
    ApiKey,
    HeaderSet,
    SshCertificate,
    KerberosTicket,
    Opaque,
}

/// A stored secret as somebody put it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretOrigin {
    pub actor: Actor,
    pub handle: Handle,
    /// Differs when a credential is replaced; stays the same when custody rotated it or sealed it again.
    pub origin: u64,
}

/// A credential as a backend gave it: what it is good for, and until when.
pub struct Resolved {
    pub credential: Credential,
    /// The places where it may be used, if its issuer names any (RFC 8707 `resource`, a host, a realm).
    pub target: Option<String>,
    /// The scope, in the issuer's own words (RFC 6749 section 3.3; `contents:read`).
    pub scope: Vec<String>,
    /// When it ends. A backend whose values do not end by themselves returns `None`; the resolver puts the
    /// end of the lease there.
    pub expires_at: Option<UnixSeconds>,
    /// How its backend finds it again to revoke it (an OpenBao `lease_id`); never a secret.
    pub revocation: Option<String>,
    /// The stored secrets that it is, or was made from.
    pub made_from: Vec<SecretOrigin>,
}

/// The secret cannot be sent in headers of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    #[error("the header: {0}")]
    Header(HeaderFault),
    /// A colon would end the user name early (RFC 7617 section 2).
    #[error("a user name of Basic authentication is not empty and has no ':' or control character")]
    User,
    #[error("the secret is not text (UTF-8)")]
    NotText,
    #[error("a credential of type {0} is not made of headers, so no edge can lease it")]
    NotHeaders(CredentialType),
    #[error("a header set names at least one header, and each of them once")]
    HeaderNames,
}

// === impl Credential ===

impl Credential {
    pub const fn kind(&self) -> CredentialType {
        match self {
            Self::Bearer { .. } => CredentialType::Bearer,
            Self::Basic { .. } => CredentialType::Basic,
            Self::ApiKey { .. } => CredentialType::ApiKey,
            Self::HeaderSet { .. } => CredentialType::HeaderSet,
            Self::SshCertificate { .. } => CredentialType::SshCertificate,
            Self::KerberosTicket { .. } => CredentialType::KerberosTicket,
            Self::Opaque { .. } => CredentialType::Opaque,
        }
    }
}

// === impl CredentialType ===

impl CredentialType {
    pub const ALL: [Self; 7] = [
        Self::Bearer,
        Self::Basic,
        Self::ApiKey,
        Self::HeaderSet,
        Self::SshCertificate,
        Self::KerberosTicket,
        Self::Opaque,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::ApiKey => "api_key",
            Self::HeaderSet => "header_set",
            Self::SshCertificate => "ssh_certificate",
            Self::KerberosTicket => "kerberos_ticket",
            Self::Opaque => "opaque",
        }
    }

    /// Can the filter write it?
    pub const fn is_headers(self) -> bool {
        matches!(self, Self::Bearer | Self::Basic | Self::ApiKey | Self::HeaderSet)
    }
}

impl fmt::Display for CredentialType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
