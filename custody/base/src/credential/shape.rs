//! A credential taken apart for storage: what may be read, and what is sealed.

use super::{Credential, CredentialFault, CredentialType};
use lease::{HeaderName, Secret};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything of a [`Credential`] but the secret. It is stored and listed in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    Bearer,
    Basic {
        user: String,
    },
    ApiKey {
        header: String,
    },
    /// The names, in the order in which the sealed bytes hold the values.
    HeaderSet {
        headers: Vec<String>,
    },
    SshCertificate {
        certificate: String,
    },
    KerberosTicket {
        principal: String,
    },
    Opaque,
}

/// Between the values of a header set. No header value may hold it.
const BETWEEN: u8 = b'\n';

// === impl Shape ===

impl Shape {
    pub const fn kind(&self) -> CredentialType {
        match self {
            Self::Bearer => CredentialType::Bearer,
            Self::Basic { .. } => CredentialType::Basic,
            Self::ApiKey { .. } => CredentialType::ApiKey,
            Self::HeaderSet { .. } => CredentialType::HeaderSet,
            Self::SshCertificate { .. } => CredentialType::SshCertificate,
            Self::KerberosTicket { .. } => CredentialType::KerberosTicket,
            Self::Opaque => CredentialType::Opaque,
        }
    }

    /// The credential of this shape whose sealed bytes are `secret`.
    ///
    /// # Errors
    /// The shape names a header that may not be leased, or not as many as there are values.
    pub fn with(&self, secret: Secret) -> Result<Credential, CredentialFault> {
        Ok(match self {
            Self::Bearer => Credential::Bearer { token: secret },
            Self::Basic { user } => Credential::Basic { user: user.clone(), password: secret },
            Self::ApiKey { header } => Credential::ApiKey { header: name(header)?, key: secret },
            Self::HeaderSet { headers } => {
                let values: Vec<_> = secret.expose().split(|byte| *byte == BETWEEN).collect();
                if headers.is_empty() || values.len() != headers.len() {
                    return Err(CredentialFault::HeaderNames);
                }
                let pair =
                    |(header, value): (&String, &[u8])| Ok((name(header)?, Secret::new(value)));
                let headers = headers.iter().zip(values).map(pair).collect::<Result<_, _>>()?;
                Credential::HeaderSet { headers }
            }
            Self::SshCertificate { certificate } => {
                Credential::SshCertificate { certificate: certificate.clone(), private_key: secret }
            }
            Self::KerberosTicket { principal } => {
                Credential::KerberosTicket { principal: principal.clone(), ccache: secret }
            }
            Self::Opaque => Credential::Opaque { bytes: secret },
        })
    }
}

fn name(text: &str) -> Result<HeaderName, CredentialFault> {
    HeaderName::parse(text).map_err(CredentialFault::Header)
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user } => write!(f, "basic, user {user}"),
            Self::ApiKey { header } => write!(f, "api_key, header {header}"),
            Self::HeaderSet { headers } => write!(f, "header_set, {}", headers.join(", ")),
            Self::KerberosTicket { principal } => write!(f, "kerberos_ticket, {principal}"),
            Self::Bearer | Self::SshCertificate { .. } | Self::Opaque => self.kind().fmt(f),
        }
    }
}

// === impl Credential ===

impl Credential {
    /// The part that anybody may read.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Bearer { .. } => Shape::Bearer,
            Self::Basic { user, .. } => Shape::Basic { user: user.clone() },
            Self::ApiKey { header, .. } => Shape::ApiKey { header: header.as_str().to_owned() },
            Self::HeaderSet { headers } => Shape::HeaderSet {
                headers: headers.iter().map(|(name, _)| name.as_str().to_owned()).collect(),
            },
            Self::SshCertificate { certificate, .. } => {
                Shape::SshCertificate { certificate: certificate.clone() }
            }
            Self::KerberosTicket { principal, .. } => {
                Shape::KerberosTicket { principal: principal.clone() }
            }
            Self::Opaque { .. } => Shape::Opaque,
        }
    }

    /// The part that is sealed, in one piece.
    pub fn secret(&self) -> Secret {
        match self {
            Self::Bearer { token: secret }
            | Self::Basic { password: secret, .. }
            | Self::ApiKey { key: secret, .. }
            | Self::SshCertificate { private_key: secret, .. }
            | Self::KerberosTicket { ccache: secret, .. }
            | Self::Opaque { bytes: secret } => secret.duplicate(),
            Self::HeaderSet { headers } => {
                // Sized up front, so that the vector never moves and leaves a copy behind.
                let room = headers.iter().map(|(_, value)| value.expose().len() + 1).sum();
                let mut joined = Vec::with_capacity(room);
                for (at, (_, value)) in headers.iter().enumerate() {
                    if at > 0 {
                        joined.push(BETWEEN);
                    }
                    joined.extend_from_slice(value.expose());
                }
                Secret::new(joined)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[(&str, &str)]) -> Credential {
        let pair = |(n, v): &(&str, &str)| (HeaderName::parse(n).unwrap(), Secret::new(*v));
        Credential::HeaderSet { headers: values.iter().map(pair).collect() }
    }

    #[test]
    fn every_type_there_and_back() {
        let secret = || Secret::new("s");
        for credential in [
            Credential::Bearer { token: secret() },
            Credential::Basic { user: "u".into(), password: secret() },
            Credential::ApiKey { header: HeaderName::parse("x-a").unwrap(), key: secret() },
            set(&[("x-a", "1"), ("x-b", "2")]),
            Credential::SshCertificate { certificate: "c".into(), private_key: secret() },
            Credential::KerberosTicket { principal: "p@R".into(), ccache: secret() },
            Credential::Opaque { bytes: secret() },
        ] {
            let json = serde_json::to_string(&credential.shape()).unwrap();
            let shape: Shape = serde_json::from_str(&json).unwrap();
            assert_eq!(shape.kind(), credential.kind());
            let back = shape.with(credential.secret()).ok().unwrap();
            assert_eq!(back.shape(), credential.shape());
            assert_eq!(back.secret().expose(), credential.secret().expose());
        }
    }

    #[test]
    fn a_set_that_lost_a_value_does_not_come_back() {
        let shape = set(&[("x-a", "1"), ("x-b", "2")]).shape();
        for sealed in ["1", "1\n2\n3", ""] {
            assert_eq!(shape.with(Secret::new(sealed)).err(), Some(CredentialFault::HeaderNames));
        }
    }
}
