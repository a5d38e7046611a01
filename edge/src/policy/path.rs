//! A request path, spelled one way.
//!
//! A policy that matches the raw bytes is read differently by the server behind it: `/a/../b`,
//! `/a//b`, `/%61`, `/a;x=1/b`, `/a%2fb`. What has one harmless spelling is brought into it
//! (RFC 3986 section 6.2.2: unreserved characters decoded, hex digits in upper case) and travels on
//! in that spelling; what servers disagree about is refused. That goes for what only a server sees
//! that decodes more than once (`%252e`), too: see [`decoding`](crate::policy::decoding).

use crate::policy::decoding;
use crate::policy::path_error::PathError;

/// A canonical absolute path: no dot segments, no empty segments but the last, no encoded slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath(String);

/// A request target in origin form (RFC 9112 section 3.2.1): a path, and a query that no policy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub path: CanonicalPath,
    /// With its question mark; empty where there is none.
    query: Vec<u8>,
}

// === impl CanonicalPath ===

impl CanonicalPath {
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let mut path = String::with_capacity(bytes.len());
        let mut runs = bytes.split(|b| *b == b'%');
        push_plain(&mut path, runs.next().unwrap_or_default())?;
        for run in runs {
            let (digits, plain) = run.split_first_chunk::<2>().ok_or(PathError::Escape)?;
            push_escape(&mut path, unescape(*digits)?)?;
            push_plain(&mut path, plain)?;
        }
        decoding::check(&path)?;
        Ok(Self(path))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes; `/` has one, empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.split('/').skip(1)
    }
}

/// What stands between escapes.
fn push_plain(path: &mut String, bytes: &[u8]) -> Result<(), PathError> {
    for byte in bytes {
        match byte {
            b'\\' => return Err(PathError::Backslash),
            b';' => return Err(PathError::Parameter),
            b'#' | 0..=b' ' | 0x7f.. => return Err(PathError::Byte),
            _ => {}
        }
    }
    path.push_str(std::str::from_utf8(bytes).map_err(|_| PathError::Byte)?);
    Ok(())
}

/// Decoded where the byte is unreserved (RFC 3986 section 2.3), else kept with upper-case digits.
fn push_escape(path: &mut String, byte: u8) -> Result<(), PathError> {
    match byte {
        b'/' => Err(PathError::EncodedSlash),
        b'\\' => Err(PathError::Backslash),
        0..=0x1f | 0x7f => Err(PathError::Byte),
        b'-' | b'.' | b'_' | b'~' => {
            path.push(char::from(byte));
            Ok(())
        }
        _ if byte.is_ascii_alphanumeric() => {
            path.push(char::from(byte));
            Ok(())
        }
        _ => {
            path.push('%');
            for nibble in [byte >> 4, byte & 0xf] {
                let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                path.push(digit.to_ascii_uppercase());
            }
            Ok(())
        }
    }
}

fn unescape(digits: [u8; 2]) -> Result<u8, PathError> {
    let [high, low] = digits.map(|b| char::from(b).to_digit(16));
    let byte = high.zip(low).map(|(high, low)| high << 4 | low).ok_or(PathError::Escape)?;
    u8::try_from(byte).map_err(|_| PathError::Escape)
}

// === impl Target ===

impl Target {
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        let split = bytes.iter().position(|b| *b == b'?').unwrap_or(bytes.len());
        let (path, query) = bytes.split_at(split);
        if query.iter().any(|b| matches!(b, b'#' | 0..=b' ' | 0x7f)) {
            return Err(PathError::Byte);
        }
        Ok(Self { path: CanonicalPath::parse(path)?, query: query.to_vec() })
    }

    /// As it goes into `:path`.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.path.as_str().as_bytes(), &self.query].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Result<String, PathError> {
        CanonicalPath::parse(text.as_bytes()).map(|path| path.0)
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (raw, expected) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/%61%2d%2E%7e", "/a-.~"),
            ("/a%3ab%c3%a9", "/a%3Ab%C3%A9"),
            ("/v1/models:generate", "/v1/models:generate"),
            ("/...", "/..."),
            ("/a%3Bb", "/a%3Bb"),
            ("/a%20b", "/a%20b"),
        ] {
            assert_eq!(canonical(raw), Ok(expected.into()), "{raw}");
        }
    }

    #[test]
    fn what_servers_disagree_about() {
        for (raw, error) in [
            ("", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
            ("a/b", PathError::NotAbsolute),
            ("https://a/b", PathError::NotAbsolute),
            ("/a/../b", PathError::DotSegment),
            ("/a/.", PathError::DotSegment),
            ("/a/%2e%2E/b", PathError::DotSegment),
            ("/a/.%2e", PathError::DotSegment),
            ("//a", PathError::EmptySegment),
            ("/a//b", PathError::EmptySegment),
            ("/a//", PathError::EmptySegment),
            ("/a\\b", PathError::Backslash),
            ("/a%5cb", PathError::Backslash),
            ("/a%2fb", PathError::EncodedSlash),
            ("/a%2Fb", PathError::EncodedSlash),
            ("/a;x=1/b", PathError::Parameter),
            ("/..;/b", PathError::Parameter),
            ("/a%", PathError::Escape),
            ("/a%4", PathError::Escape),
            ("/a%zz", PathError::Escape),
            ("/a%00", PathError::Byte),
            ("/a%0d%0ab", PathError::Byte),
            ("/a\0", PathError::Byte),
            ("/a b", PathError::Byte),
            ("/a#b", PathError::Byte),
            ("/\u{e9}", PathError::Byte),
            ("/v1/%252e%252e/admin", PathError::DoubleEscape),
            ("/v1/%252E", PathError::DoubleEscape),
            ("/v1/%25%32%66admin", PathError::DoubleEscape),
            ("/v1/%255cadmin", PathError::DoubleEscape),
            ("/v1/%25252fadmin", PathError::DoubleEscape),
            ("/v1/..%3b/admin", PathError::DotSegment),
            ("/v1/..%3Bx=1", PathError::DotSegment),
            ("/v1/..%20/admin", PathError::DotSegment),
            ("/v1/.%2e%20%20/admin", PathError::DotSegment),
            ("/v1/..%3F/admin", PathError::DotSegment),
            ("/v1/..%23/admin", PathError::DotSegment),
            ("/v1/%20/admin", PathError::EmptySegment),
            ("/v1/..%253b/admin", PathError::DoubleEscape),
            ("/v1/..%2500/admin", PathError::DoubleEscape),
            ("/v1/a%2525252541", PathError::DoubleEscape),
            ("/v1/%25c0%25ae%25c0%25ae/admin", PathError::DoubleEscape),
            ("/v1/%c0%ae%c0%ae/admin", PathError::Encoding),
            ("/v1/..%c0%afadmin", PathError::Encoding),
            ("/v1/%e9", PathError::Encoding),
        ] {
            assert_eq!(canonical(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn a_percent_sign_stays_encoded() {
        // Decoding it would make a new escape, or none at all.
        for path in ["/100%25", "/%2541", "/50%25-2f", "/%25e9", "/a%252Eb", "/%2525", "/a%2520b"] {
            assert_eq!(canonical(path), Ok(path.into()));
        }
    }

    #[test]
    fn the_query_is_carried_and_not_read() {
        let target = Target::parse(b"/%61?q=/../%2f;x").unwrap();
        assert_eq!(target.path.as_str(), "/a");
        assert_eq!(target.to_bytes(), b"/a?q=/../%2f;x");
        assert_eq!(Target::parse(b"/a?b#c"), Err(PathError::Byte));
    }

    proptest! {
        #[test]
        fn canonical_is_a_fixed_point(raw in "/[-a-z0-9%./;\\\\~A-F]{0,24}") {
            if let Ok(path) = canonical(&raw) {
                prop_assert_eq!(canonical(&path), Ok(path.clone()));
                prop_assert!(!path.contains("//") && !path.to_ascii_uppercase().contains("%2F"));
                prop_assert!(path.split('/').all(|s| s != "." && s != ".."));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Target::parse(&raw);
        }
    }
}
