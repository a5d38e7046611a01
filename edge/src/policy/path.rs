//! A request path, spelled one way.
//!
//! A policy that matches the raw bytes is read differently by the server behind it: `/a/../b`,
//! `/a//b`, `/%61`, `/a;x=1/b`, `/a%2fb`. A path with one harmless spelling is brought into it
//! (RFC 3986 section 6.2.2: unreserved characters decoded, hex digits in upper case) and travels on
//! in that spelling. The edge denies a path that servers read in two ways. That includes what only a server sees
//! that decodes more than once (`%252e`): see [`decoding`](crate::policy::decoding).
//!
//! Some of what servers disagree about a rule may allow ([`PathSyntax`]). A path that has it is judged in
//! the canonical spelling too, and its escapes travel on as the guest wrote them.

use crate::policy::decoding;
use crate::policy::path_error::PathError;
use crate::policy::path_syntax::PathSyntax;

/// A canonical absolute path, without dot segments in any spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalPath {
    text: String,
    disputed: Option<Box<Disputed>>,
}

/// The parts that most paths lack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Disputed {
    /// The syntax that a rule must allow.
    syntax: PathSyntax,
    /// How the path travels on.
    forwarded: Box<str>,
}

/// A request target in origin form (RFC 9112 section 3.2.1): a path, and a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub path: CanonicalPath,
    /// With its question mark; empty without a query.
    query: Vec<u8>,
}

// === impl CanonicalPath ===

impl CanonicalPath {
    /// One plain `./` is taken out: apt asks flat repositories for `/debian/./Packages`.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathError> {
        match Self::read(bytes) {
            Err(PathError::DotSegment) => {
                Self::read(&without_dot(bytes).ok_or(PathError::DotSegment)?)
            }
            read => read,
        }
    }

    fn read(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.first() != Some(&b'/') {
            return Err(PathError::NotAbsolute);
        }
        let mut text = String::with_capacity(bytes.len());
        let mut syntax = PathSyntax::default();
        let mut runs = bytes.split(|b| *b == b'%');
        push_plain(&mut text, &mut syntax, runs.next().unwrap_or_default())?;
        for run in runs {
            let (digits, plain) = run.split_first_chunk::<2>().ok_or(PathError::Escape)?;
            push_escape(&mut text, &mut syntax, unescape(*digits)?)?;
            push_plain(&mut text, &mut syntax, plain)?;
        }
        syntax.insert(decoding::check(&text)?);
        let disputed = (!syntax.is_empty())
            .then(|| Box::new(Disputed { syntax, forwarded: with_own_escapes(bytes) }));
        Ok(Self { text, disputed })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The syntax that a rule must allow for this path to pass.
    pub fn syntax(&self) -> PathSyntax {
        self.disputed.as_ref().map(|disputed| disputed.syntax).unwrap_or_default()
    }

    /// The spelling in which the destination gets it.
    pub fn forwarded(&self) -> &str {
        self.disputed.as_ref().map_or(&self.text, |disputed| &disputed.forwarded)
    }

    /// The parts between the slashes; `/` has one, empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        self.text.split('/').skip(1)
    }
}

/// The text between escapes.
fn push_plain(text: &mut String, syntax: &mut PathSyntax, bytes: &[u8]) -> Result<(), PathError> {
    for byte in bytes {
        match byte {
            b'\\' => return Err(PathError::Backslash),
            b';' => syntax.insert(PathSyntax::PARAMETERS),
            b'#' | 0..=b' ' | 0x7f.. => return Err(PathError::Byte),
            _ => {}
        }
    }
    text.push_str(std::str::from_utf8(bytes).map_err(|_| PathError::Byte)?);
    Ok(())
}

/// Decoded where the byte is unreserved, else kept with upper-case digits.
fn push_escape(text: &mut String, syntax: &mut PathSyntax, byte: u8) -> Result<(), PathError> {
    match byte {
        b'\\' => return Err(PathError::Backslash),
        0..=0x1f | 0x7f => return Err(PathError::Byte),
        b'/' => syntax.insert(PathSyntax::ENCODED_SLASH),
        _ if is_unreserved(byte) => {
            text.push(char::from(byte));
            return Ok(());
        }
        _ => {}
    }
    text.push('%');
    for nibble in [byte >> 4, byte & 0xf] {
        let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        text.push(digit.to_ascii_uppercase());
    }
    Ok(())
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The path without its first plain `./`; `None` if it has none.
fn without_dot(bytes: &[u8]) -> Option<Vec<u8>> {
    let at = bytes.windows(3).position(|window| window == b"/./")?;
    let (before, dot) = bytes.split_at_checked(at)?;
    Some([before, dot.get(2..)?].concat())
}

/// A path that can be read: escapes of unreserved characters decoded, all others as they are.
fn with_own_escapes(bytes: &[u8]) -> Box<str> {
    let mut runs = bytes.split(|b| *b == b'%');
    let mut path = runs.next().unwrap_or_default().to_vec();
    for run in runs {
        let byte = run.first_chunk::<2>().and_then(|digits| unescape(*digits).ok());
        match byte.filter(|byte| is_unreserved(*byte)) {
            Some(byte) => {
                path.push(byte);
                path.extend_from_slice(run.get(2..).unwrap_or_default());
            }
            None => {
                path.push(b'%');
                path.extend_from_slice(run);
            }
        }
    }
    String::from_utf8_lossy(&path).into()
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

    /// With its question mark; empty without a query.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// As it goes into `:path`.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.path.forwarded().as_bytes(), &self.query].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Result<String, PathError> {
        CanonicalPath::parse(text.as_bytes()).map(|path| path.text)
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
            ("/a/././b", PathError::DotSegment),
            ("/a/%2e/b", PathError::DotSegment),
            ("/a/.;x/b", PathError::DotSegment),
            ("/..;/b", PathError::DotSegment),
            ("/a/..%2fb", PathError::DotSegment),
            ("/a/b%2F..", PathError::DotSegment),
            ("/a/b%2f.%2e%2fc", PathError::DotSegment),
            ("/a/b%2f..;x", PathError::DotSegment),
            ("/a/.%e9.", PathError::DotSegment),
            ("/a/..%a0", PathError::DotSegment),
            ("/a/b%252f..", PathError::DoubleEscape),
            ("/a/..%252fb", PathError::DoubleEscape),
            ("/a/%2e%2E/b", PathError::DotSegment),
            ("/a/.%2e", PathError::DotSegment),
            ("//a", PathError::EmptySegment),
            ("/a\\b", PathError::Backslash),
            ("/a%5cb", PathError::Backslash),
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
            ("/v1/%255cadmin", PathError::DoubleEscape),
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
            ("/v1/%c0%ae", PathError::Encoding),
            ("/v1/%c0%ae%c0%ae/admin", PathError::Encoding),
            ("/v1/..%c0%afadmin", PathError::Encoding),
        ] {
            assert_eq!(canonical(raw), Err(error), "{raw}");
        }
    }

    #[test]
    fn a_path_names_what_a_rule_must_allow_and_is_forwarded_as_it_was_sent() {
        for (raw, syntax, judged, forwarded) in [
            ("/a", "", "/a", "/a"),
            ("/a%3a", "", "/a%3A", "/a%3A"),
            ("/@a%2fb%3a", "encoded_slash", "/@a%2Fb%3A", "/@a%2fb%3a"),
            ("/%61%2f%62", "encoded_slash", "/a%2Fb", "/a%2fb"),
            ("/a;x=1/b", "parameters", "/a;x=1/b", "/a;x=1/b"),
            ("/a//b//", "empty_segments", "/a//b//", "/a//b//"),
            ("/a%252fb", "double_encoding", "/a%252fb", "/a%252fb"),
            ("/a%25%32%66b", "double_encoding", "/a%252fb", "/a%252fb"),
            ("/a%25252fb", "double_encoding", "/a%25252fb", "/a%25252fb"),
            ("/%e9", "non_utf8", "/%E9", "/%e9"),
            (
                "/a%2fb;x//c",
                "encoded_slash, parameters, empty_segments",
                "/a%2Fb;x//c",
                "/a%2fb;x//c",
            ),
        ] {
            let path = CanonicalPath::parse(raw.as_bytes()).unwrap();
            assert_eq!((path.as_str(), path.forwarded()), (judged, forwarded), "{raw}");
            assert_eq!(path.syntax().to_string(), syntax, "{raw}");
        }
    }

    #[test]
    fn one_plain_dot_segment_is_taken_out() {
        for (raw, expected) in [
            ("/debian/./Packages", "/debian/Packages"),
            ("/./a", "/a"),
            ("/a/./", "/a/"),
            ("/./", "/"),
        ] {
            let target = Target::parse(format!("{raw}?x=/./").as_bytes()).unwrap();
            assert_eq!(target.path.as_str(), expected, "{raw}");
            assert_eq!(target.to_bytes(), format!("{expected}?x=/./").into_bytes(), "{raw}");
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
                let forwarded = CanonicalPath::parse(raw.as_bytes()).unwrap().forwarded().to_owned();
                prop_assert_eq!(canonical(&forwarded), Ok(path.clone()));
                prop_assert!(path.split('/').all(|s| s != "." && s != ".."));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Target::parse(&raw);
        }
    }
}
