//! Which hosts an allow-list entry or a grant means.

use crate::host::{Host, HostError};
use crate::public_suffix::{SuffixKind, covered_suffix};
use std::fmt;
use std::str::FromStr;

/// `api.github.com` (that host and no other) or `*.example.com` (names below it, at any depth,
/// never `example.com` itself).
///
/// An IP address is matched only by a pattern that is that address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    Exact(Host),
    /// The part behind `*.`.
    Below(Box<str>),
}

/// The text is no [`HostPattern`]; shown with the text itself, which is configuration and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    text: String,
    fault: PatternFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternFault {
    Host(HostError),
    PublicSuffix,
    SharedSuffix,
    Address,
    Star,
    Port,
}

// === impl HostPattern ===

impl HostPattern {
    /// As the text is otherwise read, and also a wildcard of a suffix below which a company gives names to
    /// its customers (`*.github.io`). Nothing that belongs to one owner may go to such hosts unless the
    /// operator allows it.
    ///
    /// # Errors
    /// The text is not a pattern, or is a wildcard of a registry's suffix (`*.com`).
    pub fn parse_shared(text: &str) -> Result<Self, PatternError> {
        let parsed = parse(text).map(|(pattern, _)| pattern);
        parsed.map_err(|fault| PatternError { text: text.to_owned(), fault })
    }

    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Exact(own), host) => own == host,
            (Self::Below(suffix), Host::Name(name)) => is_below(name, suffix),
            (Self::Below(_), Host::Ip(_)) => false,
        }
    }

    /// Is there a host that both patterns match?
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(host), pattern) | (pattern, Self::Exact(host)) => pattern.matches(host),
            (Self::Below(a), Self::Below(b)) => a == b || is_below(a, b) || is_below(b, a),
        }
    }
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let parsed = parse(text).and_then(|(pattern, suffix)| match suffix {
            None => Ok(pattern),
            Some(_) => Err(PatternFault::SharedSuffix),
        });
        parsed.map_err(|fault| PatternError { text: text.to_owned(), fault })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// The pattern, and the suffix that it covers. That is never one of a registry.
fn parse(text: &str) -> Result<(HostPattern, Option<SuffixKind>), PatternFault> {
    let Some(suffix) = text.strip_prefix("*.") else {
        if text.contains('*') {
            return Err(PatternFault::Star);
        }
        if text.contains(':') && !text.starts_with('[') {
            return Err(PatternFault::Port);
        }
        let host = Host::parse(text.as_bytes()).map_err(PatternFault::Host)?;
        return Ok((HostPattern::Exact(host), None));
    };
    if suffix.contains('*') {
        return Err(PatternFault::Star);
    }
    if suffix.contains(':') {
        return Err(PatternFault::Port);
    }
    match Host::parse(suffix.as_bytes()).map_err(PatternFault::Host)? {
        Host::Ip(_) => Err(PatternFault::Address),
        Host::Name(name) => match covered_suffix(&name) {
            Some(SuffixKind::Registry) => Err(PatternFault::PublicSuffix),
            suffix => Ok((HostPattern::Below(name), suffix)),
        },
    }
}

fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

// === impl PatternError ===

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match self.fault {
            PatternFault::Host(error) => write!(f, "{text:?} is not a host: {error}"),
            PatternFault::PublicSuffix => write!(f, "{text:?} covers a public suffix"),
            PatternFault::SharedSuffix => write!(
                f,
                "{text:?} covers a public suffix whose names belong to many owners; name the hosts, \
                 or accept every owner with allow_shared_suffixes: true"
            ),
            PatternFault::Address => write!(f, "{text:?}: an address has no names below it"),
            PatternFault::Star => {
                write!(
                    f,
                    "{text:?}: a '*' stands only as the whole first label, as in \"*.example.com\""
                )
            }
            PatternFault::Port => write!(f, "{text:?}: a port does not belong in a host"),
        }
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    fn host(text: &str) -> Host {
        Host::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn exact_and_below() {
        assert!(pattern("API.github.com.").matches(&host("api.github.com")));
        assert!(!pattern("github.com").matches(&host("api.github.com")));
        let below = pattern("*.example.com");
        for name in ["a.example.com", "a.b.example.com", "A.EXAMPLE.com."] {
            assert!(below.matches(&host(name)), "{name}");
        }
        for name in
            ["example.com", "aexample.com", "evilexample.com", "example.com.evil.org", "10.0.0.1"]
        {
            assert!(!below.matches(&host(name)), "{name}");
        }
        assert!(pattern("10.0.0.1").matches(&host("10.0.0.1")));
        assert!(pattern("[::1]").matches(&host("[0::1]")));
    }

    #[test]
    fn errors_name_the_pattern() {
        for (text, message) in [
            ("*.com", "\"*.com\" covers a public suffix"),
            (
                "*.github.io",
                "\"*.github.io\" covers a public suffix whose names belong to many owners; name the \
                 hosts, or accept every owner with allow_shared_suffixes: true",
            ),
            ("*.internal", "\"*.internal\" covers a public suffix"),
            ("*.10.0.0.1", "\"*.10.0.0.1\": an address has no names below it"),
            ("a.com:443", "\"a.com:443\": a port does not belong in a host"),
            ("", "\"\" is not a host: the host is empty"),
        ] {
            assert_eq!(text.parse::<HostPattern>().unwrap_err().to_string(), message);
        }
        for text in ["*", "a*.example.com", "*.*.example.com", "api.*.com", "*example.com"] {
            assert_eq!(
                text.parse::<HostPattern>().unwrap_err().fault,
                PatternFault::Star,
                "{text}"
            );
        }
    }

    #[test]
    fn wildcard_of_a_shared_suffix_needs_its_word_and_one_of_a_registry_is_never_accepted() {
        for text in ["*.googleapis.com", "*.supabase.co", "*.compute.amazonaws.com"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
            let pattern = HostPattern::parse_shared(text).unwrap();
            assert!(pattern.matches(&host(&text.replace('*', "x"))), "{text}");
        }
        for text in ["*.com", "*.co.uk", "*.internal", "*.kawasaki.jp", "*", "a.*.com"] {
            assert!(HostPattern::parse_shared(text).is_err(), "{text}");
        }
        assert_eq!(HostPattern::parse_shared("*.example.com"), "*.example.com".parse());
    }

    #[test]
    fn patterns_overlap_where_one_host_fits_both() {
        for (a, b, expected) in [
            ("a.com", "a.com", true),
            ("a.com", "b.com", false),
            ("*.a.com", "x.a.com", true),
            ("*.a.com", "a.com", false),
            ("*.a.com", "*.b.a.com", true),
            ("*.a.com", "*.ba.com", false),
        ] {
            assert_eq!(pattern(a).overlaps(&pattern(b)), expected, "{a} {b}");
            assert_eq!(pattern(b).overlaps(&pattern(a)), expected, "{b} {a}");
        }
    }

    proptest! {
        #[test]
        fn a_wildcard_never_matches_outside(name in "[a-z]{1,5}(\\.[a-z]{1,5}){0,4}") {
            let hit = pattern("*.example.com").matches(&host(&name));
            prop_assert_eq!(hit, name.ends_with(".example.com"));
        }
    }
}
