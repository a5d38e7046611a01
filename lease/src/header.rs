//! The headers a lease may bring.

use crate::secret::Secret;
use std::fmt;

/// The name of a header that a lease writes: a lower-case token (RFC 9110 section 5.6.2) that is
/// neither a pseudo header, nor hop-by-hop, nor one that decides where the message goes or ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeaderName(Box<str>);

/// One header of a lease. The value is the credential.
pub struct LeaseHeader {
    pub name: HeaderName,
    value: Secret,
}

/// The header would break the message it is written into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderFault {
    /// No token, or a pseudo header.
    Name,
    /// Hop-by-hop, `host`, `content-length`, `proxy-*` or one of Envoy's own.
    Reserved,
    /// Empty, over 16 KiB, or with a control byte (CR, LF and NUL among them).
    Value,
}

/// Longer values meet Envoy's header limit (60 KiB for the whole map) sooner than an upstream's.
const MAX_VALUE: usize = 16 * 1024;
const MAX_NAME: usize = 128;

/// Names that belong to one connection (RFC 9110 section 7.6.1, and the two of old proxies).
///
/// `name` is lower-case.
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection"
            | b"keep-alive"
            | b"proxy-connection"
            | b"te"
            | b"trailer"
            | b"transfer-encoding"
            | b"upgrade"
    )
}

// === impl HeaderName ===

impl HeaderName {
    pub fn parse(text: &str) -> Result<Self, HeaderFault> {
        if text.is_empty() || text.len() > MAX_NAME || !text.bytes().all(is_token_byte) {
            return Err(HeaderFault::Name);
        }
        let name = text.to_ascii_lowercase();
        let steers = matches!(name.as_str(), "host" | "content-length" | "expect");
        let of_a_proxy = name.starts_with("proxy-") || name.starts_with("x-envoy-");
        if steers || of_a_proxy || is_hop_by_hop(name.as_bytes()) {
            return Err(HeaderFault::Reserved);
        }
        Ok(Self(name.into_boxed_str()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

// === impl LeaseHeader ===

impl LeaseHeader {
    pub fn new(name: &str, value: Secret) -> Result<Self, HeaderFault> {
        let name = HeaderName::parse(name)?;
        let bytes = value.expose();
        // Tab is the one control byte that a field value may have (RFC 9110 section 5.5).
        let clean = !bytes.iter().any(|b| b.is_ascii_control() && *b != b'\t');
        if bytes.is_empty() || bytes.len() > MAX_VALUE || !clean {
            return Err(HeaderFault::Value);
        }
        Ok(Self { name, value })
    }

    pub fn value(&self) -> &Secret {
        &self.value
    }
}

// === impl HeaderFault ===

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a header name is a token of at most 128 bytes",
            Self::Reserved => {
                "this header decides how a message travels; a credential can not be written there"
            }
            Self::Value => "a header value has 1 to 16384 bytes and no control bytes",
        })
    }
}

impl std::error::Error for HeaderFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(name: &str, value: &[u8]) -> Option<HeaderFault> {
        LeaseHeader::new(name, Secret::new(value)).err()
    }

    #[test]
    fn name_of_128_bytes_is_the_longest() {
        assert_eq!(fault(&"a".repeat(128), b"v"), None);
        assert_eq!(fault(&"a".repeat(129), b"v"), Some(HeaderFault::Name));
    }

    #[test]
    fn any_ordinary_name() {
        for name in ["authorization", "Authorization", "X-Api-Key", "cookie", "private-token"] {
            assert_eq!(fault(name, b"v"), None, "{name}");
        }
    }

    #[test]
    fn names_that_steer_are_refused() {
        for name in ["", ":authority", "a b", "a:b", "a\r\nb", "\u{e9}"] {
            assert_eq!(fault(name, b"v"), Some(HeaderFault::Name), "{name:?}");
        }
        for name in [
            "Host",
            "connection",
            "TE",
            "transfer-encoding",
            "upgrade",
            "keep-alive",
            "trailer",
            "content-length",
            "proxy-authorization",
            "proxy-connection",
            "x-envoy-retry-on",
        ] {
            assert_eq!(fault(name, b"v"), Some(HeaderFault::Reserved), "{name}");
        }
    }

    #[test]
    fn values_that_split_a_message_are_refused() {
        for value in [&b""[..], b"a\r\nb", b"a\nb", b"a\rb", b"a\0b", b"\x7f", b"\x1b[0m"] {
            assert_eq!(fault("authorization", value), Some(HeaderFault::Value));
        }
        assert_eq!(fault("authorization", &[b'a'; MAX_VALUE + 1]), Some(HeaderFault::Value));
        assert_eq!(fault("authorization", b"Bearer a\tb \xc3\xa9"), None);
    }
}
