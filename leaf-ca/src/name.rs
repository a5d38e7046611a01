//! DNS names, as a TLS server name indication may carry them and as a policy may write them.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Octets of a whole name without its trailing dot (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;
/// Octets between two dots (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

/// A DNS name in its one spelling: lower-case A-labels, no trailing dot.
///
/// Never a wildcard, and nothing a resolver or a client could read as an IP address: server name
/// indications carry no addresses (RFC 6066 section 3), and a leaf for one would be a leaf for
/// somebody the policy never named.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(Arc<str>);

/// The text is no DNS name we would put into a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("a name has at most 253 bytes, a label at most 63")]
    TooLong,
    #[error("a label of the name is empty")]
    EmptyLabel,
    #[error("a name has only letters, digits, '-' and '_' (internationalised names as A-labels)")]
    Character,
    #[error("a label that begins with \"xn--\" is not a valid A-label")]
    ALabel,
    #[error("an address is not a name, nor is anything that ends in a number")]
    Address,
}

// === impl DnsName ===

impl DnsName {
    /// Reads a name in any letter case, with or without one trailing dot.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(NameError::TooLong);
        }
        name.split('.').try_for_each(check_label)?;
        // "-" is what Envoy asks for where a guest sends no server name.
        if !name.bytes().any(|b| b.is_ascii_alphanumeric()) {
            return Err(NameError::Character);
        }
        if ends_in_number(name) {
            return Err(NameError::Address);
        }
        let name = name.to_ascii_lowercase();
        let has_a_label = name.split('.').any(|label| label.starts_with("xn--"));
        if has_a_label && idna::domain_to_ascii(&name).ok().as_deref() != Some(name.as_str()) {
            return Err(NameError::ALabel);
        }
        Ok(Self(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names this one is below: `b.c` and `c` for `a.b.c`.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('.').filter_map(|(dot, _)| self.0.get(dot + 1..))
    }
}

impl Borrow<str> for DnsName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(NameError::TooLong);
    }
    // Underscores are no hostname letters, but DNS carries them and real services use them.
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if label.bytes().all(fits) { Ok(()) } else { Err(NameError::Character) }
}

/// The "ends in a number" check of the WHATWG URL standard: such a host is an address or nothing.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_has_one_spelling() {
        for text in ["api.example.com", "API.Example.COM", "api.example.com."] {
            assert_eq!(DnsName::parse(text).unwrap().as_str(), "api.example.com", "{text}");
        }
        assert_eq!(DnsName::parse("xn--bcher-kva.example").unwrap().to_string().len(), 21);
    }

    #[test]
    fn what_is_no_name() {
        for (text, error) in [
            ("", NameError::Empty),
            (".", NameError::Empty),
            ("a..b", NameError::EmptyLabel),
            (".a.b", NameError::EmptyLabel),
            ("a.b..", NameError::EmptyLabel),
            ("*.example.com", NameError::Character),
            ("a b.example", NameError::Character),
            ("a\0.example", NameError::Character),
            ("a\n.example", NameError::Character),
            ("a\u{7f}.example", NameError::Character),
            ("b\u{fc}cher.example", NameError::Character),
            ("a,b.example", NameError::Character),
            ("-", NameError::Character),
            ("-._", NameError::Character),
            ("example.com:443", NameError::Character),
            ("[::1]", NameError::Character),
            ("xn--.example", NameError::ALabel),
            ("a.b.c.XN--pokxncvks", NameError::ALabel),
            ("xn--a.example", NameError::ALabel),
            ("127.0.0.1", NameError::Address),
            ("127.1", NameError::Address),
            ("0x7f000001", NameError::Address),
            ("127.0.0.0X1", NameError::Address),
            ("2130706433", NameError::Address),
        ] {
            assert_eq!(DnsName::parse(text), Err(error), "{}", text.escape_debug());
        }
        assert_eq!(DnsName::parse(&"a".repeat(64)), Err(NameError::TooLong));
        assert!(DnsName::parse(&"a.".repeat(127)).is_ok());
        assert_eq!(DnsName::parse(&"a.".repeat(128)), Err(NameError::TooLong));
    }

    #[test]
    fn parents_end_at_the_top() {
        let name = DnsName::parse("a.b.c").unwrap();
        assert_eq!(name.parents().collect::<Vec<_>>(), ["b.c", "c"]);
    }

    proptest! {
        #[test]
        fn never_panics_and_is_idempotent(text in "\\PC{0,300}") {
            if let Ok(name) = DnsName::parse(&text) {
                prop_assert_eq!(DnsName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
