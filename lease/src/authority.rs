//! A host and a port: where the bytes go.

use crate::host::{Host, HostError};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The default port of `https` (RFC 9110 section 4.2.2).
pub const HTTPS_PORT: u16 = 443;

/// A destination on the wire, `api.github.com:443`: host and port, both always there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Authority {
    pub host: Host,
    pub port: u16,
}

/// The bytes are no authority (RFC 3986 section 3.2; userinfo is refused).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityError {
    Host(HostError),
    /// Not 1 to 65535 in plain digits without leading zeros.
    Port,
}

// === impl Authority ===

impl Authority {
    /// Reads `host` or `host:port`; a missing port is `default_port`.
    pub fn parse(bytes: &[u8], default_port: u16) -> Result<Self, AuthorityError> {
        let (host, port) = match split_port(bytes) {
            (host, Some(digits)) => (host, parse_port(digits)?),
            (host, None) => (host, default_port),
        };
        Ok(Self { host: Host::parse(host).map_err(AuthorityError::Host)?, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl TryFrom<String> for Authority {
    type Error = AuthorityError;

    fn try_from(text: String) -> Result<Self, AuthorityError> {
        Self::parse(text.as_bytes(), HTTPS_PORT)
    }
}

impl From<Authority> for String {
    fn from(authority: Authority) -> Self {
        authority.to_string()
    }
}

/// The colon of the port is the last one, and not one inside the brackets of an IPv6 address.
fn split_port(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().rposition(|b| *b == b':') {
        Some(colon) if !bytes.ends_with(b"]") => {
            let (host, rest) = bytes.split_at(colon);
            (host, rest.get(1..))
        }
        _ => (bytes, None),
    }
}

fn parse_port(digits: &[u8]) -> Result<u16, AuthorityError> {
    // u16's own parser would take "+443" and "0443".
    let plain = digits.first().is_some_and(|b| matches!(b, b'1'..=b'9'));
    let text = std::str::from_utf8(digits).map_err(|_| AuthorityError::Port)?;
    text.parse().ok().filter(|_| plain).ok_or(AuthorityError::Port)
}

// === impl AuthorityError ===

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(f),
            Self::Port => f.write_str("a port is a number from 1 to 65535"),
        }
    }
}

impl std::error::Error for AuthorityError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, AuthorityError> {
        Authority::parse(text.as_bytes(), HTTPS_PORT).map(|a| a.to_string())
    }

    #[test]
    fn the_port_is_always_there() {
        assert_eq!(parsed("API.github.com"), Ok("api.github.com:443".into()));
        assert_eq!(parsed("api.github.com.:8443"), Ok("api.github.com:8443".into()));
        assert_eq!(parsed("[::1]"), Ok("[::1]:443".into()));
        assert_eq!(parsed("[::1]:8443"), Ok("[::1]:8443".into()));
        assert_eq!(parsed("10.0.0.1:80"), Ok("10.0.0.1:80".into()));
    }

    #[test]
    fn what_is_no_authority() {
        for bad in ["a:", "a:0", "a:65536", "a:+1", "a:1x", "a:0443", "a:99999999999999999999"] {
            assert_eq!(parsed(bad), Err(AuthorityError::Port), "{bad}");
        }
        for bad in ["", ":443", "user@a", "user:pw@a:1", "a:1:2", "::1", "https://a:1", "a,b"] {
            assert!(matches!(parsed(bad), Err(AuthorityError::Host(_))), "{bad}");
        }
    }
}
