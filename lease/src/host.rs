//! A host, spelled one way.

use crate::a_label;
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host in its canonical spelling: a DNS name in lower-case A-labels without the trailing dot, or
/// an IP address.
///
/// Two spellings of one host compare equal, and nothing that a resolver might read as an address
/// (`0x7f.1`, `127.1`, `2130706433`) passes for a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    Name(Box<str>),
    Ip(IpAddr),
}

/// The bytes are no host (RFC 3986 section 3.2.2, RFC 1035 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    Empty,
    /// Over 253 bytes, or a label over 63.
    TooLong,
    /// A label is empty (`a..b`, `.a`, `a..`).
    EmptyLabel,
    /// A byte other than letters, digits, `-` and `_`. Internationalised names come as A-labels.
    Character,
    /// An A-label (`xn--...`) that decodes to nothing, or not back to itself.
    ALabel,
    /// A name that ends in a number is read as an address by some and as a name by others.
    AmbiguousAddress,
}

// === impl Host ===

impl Host {
    /// Bytes of a name, at most, without the dot at its end.
    pub const MAX_LENGTH: usize = 253;
    /// Bytes of a label, at most.
    pub const MAX_LABEL: usize = 63;

    /// Reads the host of an authority; an IPv6 address is in brackets.
    pub fn parse(bytes: &[u8]) -> Result<Self, HostError> {
        if let Some(inner) = bytes.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
            let text = std::str::from_utf8(inner).map_err(|_| HostError::Character)?;
            // No zone identifiers: Ipv6Addr's parser refuses them.
            let address: Ipv6Addr = text.parse().map_err(|_| HostError::Character)?;
            return Ok(Self::Ip(IpAddr::V6(address)));
        }
        let name = bytes.strip_suffix(b".").unwrap_or(bytes);
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        if name.len() > Self::MAX_LENGTH {
            return Err(HostError::TooLong);
        }
        name.split(|b| *b == b'.').try_for_each(check_label)?;
        let text = String::from_utf8(name.to_ascii_lowercase());
        let text = text.map_err(|_| HostError::Character)?;
        if ends_in_number(&text) {
            let address: Ipv4Addr = text.parse().map_err(|_| HostError::AmbiguousAddress)?;
            return Ok(Self::Ip(IpAddr::V4(address)));
        }
        if !text.split('.').all(a_label::is_honest) {
            return Err(HostError::ALabel);
        }
        Ok(Self::Name(text.into_boxed_str()))
    }

    /// As in an authority: IPv6 in brackets. A name is not copied.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Name(name) => Cow::Borrowed(name),
            Self::Ip(_) => Cow::Owned(self.to_string()),
        }
    }
}

impl fmt::Display for Host {
    /// As in an authority: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn check_label(label: &[u8]) -> Result<(), HostError> {
    if label.is_empty() {
        return Err(HostError::EmptyLabel);
    }
    if label.len() > Host::MAX_LABEL {
        return Err(HostError::TooLong);
    }
    // Underscores are no hostname letters, but DNS carries them and real services use them.
    if label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        Ok(())
    } else {
        Err(HostError::Character)
    }
}

/// The "ends in a number" check of the WHATWG URL standard: such a host is an IPv4 address or nothing.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex =
        last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || last.bytes().all(|b| b.is_ascii_digit())
}

// === impl HostError ===

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the host is empty",
            Self::TooLong => "a name has at most 253 bytes, a label at most 63",
            Self::EmptyLabel => "a label of the name is empty",
            Self::Character => {
                "a host has only letters, digits, '-' and '_' (internationalised names as A-labels)"
            }
            Self::ALabel => "a label that begins with \"xn--\" is not a valid A-label",
            Self::AmbiguousAddress => "a host that ends in a number must be a plain IPv4 address",
        })
    }
}

impl std::error::Error for HostError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Host {
        Host::Name(text.into())
    }

    #[test]
    fn label_of_63_bytes_is_the_longest() {
        let host = |length| format!("{}.example", "a".repeat(length));
        assert_eq!(Host::parse(host(63).as_bytes()), Ok(name(&host(63))));
        assert_eq!(Host::parse(host(64).as_bytes()), Err(HostError::TooLong));
    }

    #[test]
    fn a_host_has_one_spelling() {
        assert_eq!(Host::parse(b"API.GitHub.com."), Ok(name("api.github.com")));
        assert_eq!(Host::parse(b"xn--bcher-kva.example"), Ok(name("xn--bcher-kva.example")));
        assert_eq!(Host::parse(b"127.0.0.1"), Ok(Host::Ip([127, 0, 0, 1].into())));
        assert_eq!(Host::parse(b"127.0.0.1."), Ok(Host::Ip([127, 0, 0, 1].into())));
        assert_eq!(Host::parse(b"[::1]").map(|h| h.to_string()), Ok("[::1]".into()));
        assert_eq!(Host::parse(b"[0:0::1]"), Host::parse(b"[::1]"));
    }

    #[test]
    fn what_is_no_host() {
        for (bytes, error) in [
            (&b""[..], HostError::Empty),
            (b".", HostError::Empty),
            (b"a..b", HostError::EmptyLabel),
            (b".a", HostError::EmptyLabel),
            (b"a.b..", HostError::EmptyLabel),
            (b"a b", HostError::Character),
            (b"a%2eb", HostError::Character),
            (b"a@b", HostError::Character),
            (b"a/b", HostError::Character),
            (b"*.a", HostError::Character),
            ("b\u{fc}cher.example".as_bytes(), HostError::Character),
            (b"[::1", HostError::Character),
            (b"[fe80::1%eth0]", HostError::Character),
            (b"a\0.example", HostError::Character),
            (b"xn--.example", HostError::ALabel),
            (b"a.b.c.XN--pokxncvks", HostError::ALabel),
            (b"10.0.0.xn--pokxncvks", HostError::ALabel),
            (b"xn--a.example", HostError::ALabel),
            (b"0x7f.1", HostError::AmbiguousAddress),
            (b"127.1", HostError::AmbiguousAddress),
            (b"2130706433", HostError::AmbiguousAddress),
            (b"0x7f000001", HostError::AmbiguousAddress),
            (b"127.0.0.0x1", HostError::AmbiguousAddress),
            (b"0127.0.0.1", HostError::AmbiguousAddress),
            (b"1.2.3.4.5", HostError::AmbiguousAddress),
            (b"256.0.0.1", HostError::AmbiguousAddress),
        ] {
            assert_eq!(Host::parse(bytes), Err(error), "{}", bytes.escape_ascii());
        }
        assert_eq!(Host::parse(&[b'a'; 64]), Err(HostError::TooLong));
        assert_eq!(Host::parse("a.".repeat(127).as_bytes()).map(|_| ()), Ok(()));
        assert_eq!(Host::parse("a.".repeat(128).as_bytes()), Err(HostError::TooLong));
    }

    proptest! {
        #[test]
        fn never_panics_and_is_idempotent(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(host) = Host::parse(&bytes) {
                prop_assert_eq!(Host::parse(host.to_string().as_bytes()), Ok(host));
            }
        }
    }
}
