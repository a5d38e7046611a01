//! A long-lived credential and how it is shown to its upstream.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lease::{HeaderFault, HeaderName, LeaseHeader, Secret};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// Which header carries the secret, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// `authorization: Bearer SECRET` (RFC 6750 section 2.1).
    Bearer,
    /// `authorization: Basic base64(USER:SECRET)` (RFC 7617 section 2).
    Basic { user: String },
    /// `NAME: SECRET`.
    Header { name: String },
}

/// A secret with its shape.
pub struct Credential {
    pub shape: Shape,
    pub secret: Secret,
}

/// The secret cannot be sent in this shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    #[error("the header: {0}")]
    Header(HeaderFault),
    /// A colon would end the user name early (RFC 7617 section 2).
    #[error("a user name of Basic authentication is not empty and has no ':' or control character")]
    User,
    #[error("the secret is not text (UTF-8)")]
    NotText,
}

// === impl Credential ===

impl Credential {
    /// The headers of the lease. Also the test of whether a credential may be stored at all.
    pub fn headers(&self) -> Result<Vec<LeaseHeader>, CredentialFault> {
        let secret = self.secret.expose();
        if std::str::from_utf8(secret).is_err() {
            return Err(CredentialFault::NotText);
        }
        let (name, value) = match &self.shape {
            Shape::Bearer => ("authorization", joined(b"Bearer ", secret)),
            Shape::Basic { user } => ("authorization", basic(user, secret)?),
            Shape::Header { name } => (name.as_str(), joined(b"", secret)),
        };
        // Checked on its own, because behind "Bearer " or inside base64 an empty one looks fine.
        if secret.is_empty() || secret.iter().any(u8::is_ascii_control) {
            return Err(CredentialFault::Header(HeaderFault::Value));
        }
        LeaseHeader::new(name, value).map(|header| vec![header]).map_err(CredentialFault::Header)
    }
}

/// Sized up front, so that the vector never moves and leaves a copy of the secret behind.
fn joined(prefix: &[u8], secret: &[u8]) -> Secret {
    let mut value = Vec::with_capacity(prefix.len() + secret.len());
    value.extend_from_slice(prefix);
    value.extend_from_slice(secret);
    Secret::new(value)
}

fn basic(user: &str, secret: &[u8]) -> Result<Secret, CredentialFault> {
    if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
        return Err(CredentialFault::User);
    }
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + secret.len()));
    pair.extend_from_slice(user.as_bytes());
    pair.push(b':');
    pair.extend_from_slice(secret);
    let mut value = String::with_capacity(6 + pair.len().div_ceil(3) * 4);
    value.push_str("Basic ");
    STANDARD.encode_string(&*pair, &mut value);
    Ok(Secret::new(value))
}

// === impl Shape ===

impl Shape {
    /// A header shape whose name may be leased.
    pub fn header(name: &str) -> Result<Self, CredentialFault> {
        let name = HeaderName::parse(name).map_err(CredentialFault::Header)?;
        Ok(Self::Header { name: name.as_str().to_owned() })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bearer => f.write_str("bearer"),
            Self::Basic { user } => write!(f, "basic, user {user}"),
            Self::Header { name } => write!(f, "header {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(shape: Shape, secret: &str) -> Result<(String, Vec<u8>), CredentialFault> {
        let headers = Credential { shape, secret: Secret::new(secret) }.headers()?;
        assert_eq!(headers.len(), 1);
        Ok((headers[0].name.as_str().to_owned(), headers[0].value().expose().to_vec()))
    }

    #[test]
    fn every_shape_as_its_rfc_says() {
        assert_eq!(
            sent(Shape::Bearer, "s3cr3t"),
            Ok(("authorization".into(), b"Bearer s3cr3t".to_vec()))
        );
        // The example of RFC 7617 section 2.
        assert_eq!(
            sent(Shape::Basic { user: "Aladdin".into() }, "open sesame"),
            Ok(("authorization".into(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_vec()))
        );
        assert_eq!(
            sent(Shape::header("X-Api-Key").unwrap(), "k"),
            Ok(("x-api-key".into(), b"k".to_vec()))
        );
    }

    #[test]
    fn what_would_break_the_request_is_refused() {
        let value = Err(CredentialFault::Header(HeaderFault::Value));
        for bad in ["", "a\nb", "a\rb", "a\0b", "a\tb", "\u{7f}"] {
            assert_eq!(sent(Shape::Bearer, bad), value, "{bad:?}");
            assert_eq!(sent(Shape::Basic { user: "u".into() }, bad), value, "{bad:?}");
            assert_eq!(sent(Shape::header("x-a").unwrap(), bad), value, "{bad:?}");
        }
        for bad in ["", "a:b", "a\nb"] {
            assert_eq!(sent(Shape::Basic { user: bad.into() }, "s"), Err(CredentialFault::User));
        }
        for bad in ["", "host", "connection", ":path", "a b", "proxy-authorization"] {
            assert!(Shape::header(bad).is_err(), "{bad}");
        }
        let raw = Credential { shape: Shape::Bearer, secret: Secret::new(vec![0xff]) };
        assert_eq!(raw.headers().err(), Some(CredentialFault::NotText));
    }
}
