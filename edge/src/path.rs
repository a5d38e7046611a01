//! A request path, spelled one way.
//!
//! A policy that matches the raw bytes is read differently by the server behind it: `/a/../b`,
//! `/a//b`, `/%61`, `/a;x=1/b`, `/a%2fb`. What has one harmless spelling is brought into it
//! (RFC 3986 section 6.2.2: unreserved characters decoded, hex digits in upper case) and travels on
//! in that spelling; what servers disagree about is refused. That goes for what only shows to a server
//! that decodes twice (`%252e`), too: a proxy and the application behind it often do, once each.

use std::fmt;

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

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    NotAbsolute,
    /// `.` or `..`, also percent-encoded, and also with what some servers cut off behind it (an
    /// encoded `;` or blank).
    DotSegment,
    /// `//`.
    EmptySegment,
    /// `\` or `%5C`, which some servers read as a slash.
    Backslash,
    /// `%2F`: a slash to some servers and a letter to others.
    EncodedSlash,
    /// `;` begins a parameter that some servers cut off before they match.
    Parameter,
    /// `%` without two hex digits.
    Escape,
    /// `%25` before `2E`, `2F`, `5C` or `25`: decoded twice, a dot, a slash, a backslash, or more of
    /// the same.
    DoubleEscape,
    /// A control byte (also encoded), blank, `#`, or a byte outside ASCII.
    Byte,
    /// Escapes that are no UTF-8; some servers read `%C0%AE` as a dot.
    Encoding,
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
        // What a server sees behind its first decoding.
        let mut decoded = path.clone().into_bytes();
        for run in runs {
            let (digits, plain) = run.split_first_chunk::<2>().ok_or(PathError::Escape)?;
            let escaped = unescape(*digits)?;
            push_escape(&mut path, escaped)?;
            push_plain(&mut path, plain)?;
            decoded.push(escaped);
            decoded.extend_from_slice(plain);
        }
        check_segments(&path)?;
        check_decoded(&decoded)?;
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

fn check_segments(path: &str) -> Result<(), PathError> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(PathError::EmptySegment);
        }
        if segment.starts_with('.') && is_dots(segment) {
            return Err(PathError::DotSegment);
        }
    }
    Ok(())
}

/// `.` or `..`, or one of them to a server that cuts off a parameter or blanks behind it.
fn is_dots(segment: &str) -> bool {
    let named = segment.split("%3B").next().unwrap_or(segment).trim_end_matches("%20");
    matches!(named, "." | "..")
}

/// Of what a server sees behind its first decoding.
fn check_decoded(decoded: &[u8]) -> Result<(), PathError> {
    let text = std::str::from_utf8(decoded).map_err(|_| PathError::Encoding)?;
    let again = |rest: &str| {
        let digits = rest.get(..2).unwrap_or_default();
        ["2e", "2f", "5c", "25"].iter().any(|hex| hex.eq_ignore_ascii_case(digits))
    };
    if text.split('%').skip(1).any(again) { Err(PathError::DoubleEscape) } else { Ok(()) }
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

// === impl PathError ===

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "a path begins with '/'",
            Self::DotSegment => "a path has no '.' or '..' segments",
            Self::EmptySegment => "a path has no empty segments ('//')",
            Self::Backslash => "a path has no backslash",
            Self::EncodedSlash => "a path has no encoded slash ('%2F')",
            Self::Parameter => "a path has no ';' parameters",
            Self::Escape => "a '%' is followed by two hex digits",
            Self::DoubleEscape => "a path is encoded once ('%252F' hides a slash)",
            Self::Byte => "a path has only printable ASCII, without '#'",
            Self::Encoding => "the escapes of a path are UTF-8",
        })
    }
}

impl std::error::Error for PathError {}

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
        for path in ["/100%25", "/%2541", "/50%25-2f", "/%25e9"] {
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
                // Nor does a server find any that decodes once more.
                let twice = path.replace("%25", "%").to_ascii_uppercase();
                prop_assert!(!["%2E", "%2F", "%5C"].iter().any(|hidden| twice.contains(hidden)));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Target::parse(&raw);
        }
    }
}
