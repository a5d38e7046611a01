//! The forms that a path may take behind the edge.
//!
//! A proxy, a framework and an application often decode a path once each, and some then cut it off at
//! a `;`, `?` or `#` that was an escape before. So the rules for a path apply to its decoded
//! forms too, [`DEPTH`] of them; the edge denies a path that has more.

use crate::policy::path_error::PathError;
use crate::policy::path_syntax::PathSyntax;
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// How often somebody behind us may decode a path.
pub const DEPTH: usize = 3;

/// The text decoded once, twice and so on, as long as that changes anything. An invalid escape
/// stays as it is.
pub fn decodings(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let next = |text: &Vec<u8>| decode(text);
    std::iter::successors(decode(text), next)
}

/// The first byte of a segment at which a server that decodes may cut it off. `None`: it stays whole.
pub fn cut_at(segment: &str) -> Option<usize> {
    let is_cut = |decoded: Vec<u8>| decoded.iter().copied().any(ends_segment);
    if !decodings(segment.as_bytes()).take(DEPTH).any(is_cut) {
        return None;
    }
    // `%25` may begin an escape that is seen later.
    let begins = |(at, _): &(usize, &str)| {
        let escape = segment.get(*at..at + 3).unwrap_or_default();
        ["%3B", "%3F", "%23", "%25"].contains(&escape)
    };
    segment.match_indices('%').find(begins).map(|(at, _)| at)
}

/// Does `matches` hold for two texts, and for both of them decoded equally often?
pub fn agree(a: &str, b: &str, matches: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let (mut a, mut b) = (Cow::from(a.as_bytes()), Cow::from(b.as_bytes()));
    for _ in 0..=DEPTH {
        if !matches(&a, &b) {
            return false;
        }
        match (decode(&a), decode(&b)) {
            (None, None) => return true,
            (left, right) => {
                a = left.map_or(a, Cow::from);
                b = right.map_or(b, Cow::from);
            }
        }
    }
    true
}

/// The syntax of a path that a rule must allow, in any of its decoded forms. `path` has no backslash and no
/// control byte, plain or encoded.
///
/// # Errors
/// The rule that one of its decoded forms breaks, and that no word allows.
pub fn check(path: &str) -> Result<PathSyntax, PathError> {
    let mut syntax = PathSyntax::default();
    if path.starts_with("//") {
        return Err(PathError::EmptySegment);
    }
    if check_segments(path.as_bytes())? {
        syntax.insert(PathSyntax::EMPTY_SEGMENTS);
    }
    let mut forms = decodings(path.as_bytes());
    let Some(once) = forms.next() else { return Ok(syntax) };
    if std::str::from_utf8(&once).is_err() {
        if hides_ascii(&once) {
            return Err(PathError::Encoding);
        }
        syntax.insert(PathSyntax::NON_UTF8);
    }
    // In the decoded forms an encoded slash divides, so that no dot segment hides beside it.
    check_segments(&once)?;
    let slashes = count_slashes(&once);
    for form in forms.by_ref().take(DEPTH - 1) {
        let is_fault = form.iter().copied().any(is_never_meant) || hides_ascii(&form);
        if is_fault || check_segments(&form).is_err() {
            return Err(PathError::DoubleEscape);
        }
        if count_slashes(&form) != slashes {
            syntax.insert(PathSyntax::DOUBLE_ENCODING);
        }
    }
    if forms.next().is_some() { Err(PathError::DoubleEscape) } else { Ok(syntax) }
}

/// `None` where nothing is to decode.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    match Cow::from(percent_decode(text)) {
        Cow::Borrowed(_) => None,
        Cow::Owned(decoded) => Some(decoded),
    }
}

fn ends_segment(byte: u8) -> bool {
    matches!(byte, b';' | b'?' | b'#')
}

fn is_never_meant(byte: u8) -> bool {
    byte == b'\\' || byte.is_ascii_control()
}

fn count_slashes(path: &[u8]) -> usize {
    path.iter().filter(|byte| **byte == b'/').count()
}

/// UTF-8 that is longer than need be (RFC 3629 section 3): some servers read `C0 AE` as a dot.
fn hides_ascii(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, 0xc0 | 0xc1))
        || bytes.windows(2).any(|pair| matches!(pair, [0xe0, 0x80..=0x9f] | [0xf0, 0x80..=0x8f]))
}

/// Of each segment what comes before a cut, and without the blanks that some servers take away. Returns
/// whether one is empty, other than the last.
fn check_segments(path: &[u8]) -> Result<bool, PathError> {
    let mut has_empty = false;
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() {
            has_empty |= segments.peek().is_some();
            continue;
        }
        // Neither blank nor dots, whatever follows.
        if segment.first().is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let named = segment.split(|byte| ends_segment(*byte)).next().unwrap_or(segment);
        let text = String::from_utf8_lossy(named);
        match text.trim() {
            "" if !named.is_empty() => return Err(PathError::EmptySegment),
            "." | ".." => return Err(PathError::DotSegment),
            _ if matches!(text, Cow::Owned(_)) && is_dots_in_ascii(named) => {
                return Err(PathError::DotSegment);
            }
            _ => {}
        }
    }
    Ok(has_empty)
}

/// Some servers leave out the bytes that they cannot read.
fn is_dots_in_ascii(bytes: &[u8]) -> bool {
    let left: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii).collect();
    matches!(left.trim_ascii(), b"." | b"..")
}
