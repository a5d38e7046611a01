//! `api.github.com`, `*.example.com:8443`: a host pattern and a port.

use lease::{Authority, AuthorityError, HTTPS_PORT, HostPattern, PatternError};
use std::fmt;
use std::str::FromStr;

/// The destinations one entry of a grant means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationPattern {
    host: HostPattern,
    port: u16,
}

/// The text is no [`DestinationPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    #[error("{0}")]
    Host(#[from] PatternError),
    #[error("{0:?}: a port is a number from 1 to 65535")]
    Port(String),
}

// === impl DestinationPattern ===

impl DestinationPattern {
    /// Also with a wildcard of a suffix whose names belong to many owners, as in `*.github.io`.
    ///
    /// # Errors
    /// As of [`FromStr`].
    pub fn parse_shared(text: &str) -> Result<Self, DestinationError> {
        Self::read(text, HostPattern::parse_shared)
    }

    fn read(
        text: &str,
        parse: fn(&str) -> Result<HostPattern, PatternError>,
    ) -> Result<Self, DestinationError> {
        let (host, port) = split_port(text);
        let Some(port) = port else {
            return Ok(Self { host: parse(host)?, port: HTTPS_PORT });
        };
        // The rules of a port stand in `Authority`; the host beside it here is only a carrier.
        let carrier = format!("port.invalid:{port}");
        let port = Authority::parse(carrier.as_bytes(), HTTPS_PORT)
            .map_err(|_: AuthorityError| DestinationError::Port(text.to_owned()))?
            .port;
        Ok(Self { host: parse(host)?, port })
    }

    pub fn matches(&self, destination: &Authority) -> bool {
        self.port == destination.port && self.host.matches(&destination.host)
    }
}

impl FromStr for DestinationPattern {
    type Err = DestinationError;

    /// Port 443 if none is named.
    fn from_str(text: &str) -> Result<Self, DestinationError> {
        Self::read(text, str::parse)
    }
}

/// The colon of the port is the last one, and not one inside the brackets of an IPv6 address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        // "::1" without brackets: left whole, for the host's own error.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, None),
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

impl fmt::Display for DestinationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, destination: &str) -> bool {
        let destination = Authority::parse(destination.as_bytes(), HTTPS_PORT).unwrap();
        pattern.parse::<DestinationPattern>().unwrap().matches(&destination)
    }

    #[test]
    fn host_and_port_both_count() {
        assert!(matches("api.github.com", "API.github.com.:443"));
        assert!(!matches("api.github.com", "api.github.com:8443"));
        assert!(!matches("api.github.com", "github.com"));
        assert!(matches("*.example.com:8443", "a.example.com:8443"));
        assert!(!matches("*.example.com:8443", "a.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(matches("[::1]", "[::1]:443"));
        assert!(matches("[::1]:8443", "[0::1]:8443"));
        assert!(matches("10.0.0.1:80", "10.0.0.1:80"));
    }

    #[test]
    fn errors_name_the_text() {
        for (text, message) in [
            ("*.com", "\"*.com\" covers a public suffix"),
            ("a.com:0", "\"a.com:0\": a port is a number from 1 to 65535"),
            ("a.com:https", "\"a.com:https\": a port is a number from 1 to 65535"),
            ("a.com:", "\"a.com:\": a port is a number from 1 to 65535"),
        ] {
            let error = text.parse::<DestinationPattern>().unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        for text in ["", "*", "::1", "https://a.com", "user@a.com", "a.com/path", ":443"] {
            assert!(text.parse::<DestinationPattern>().is_err(), "{text}");
        }
    }
}
