//! A path has one spelling. It keeps its segments in whatever way a server decodes it, unless it says which
//! rule must allow that; and it never has a dot segment.

use edge::policy::path::Target;
use edge::policy::path_syntax::PathSyntax;

/// How often a server behind the edge may decode a path.
const DECODINGS: usize = 3;

pub fn check(bytes: &[u8]) {
    let Ok(target) = Target::parse(bytes) else { return };
    assert_eq!(Target::parse(&target.to_bytes()).as_ref(), Ok(&target));
    let path = target.path.as_str();
    let syntax = target.path.syntax();
    assert_eq!(target.path.segments().collect::<Vec<_>>().join("/"), path[1..]);
    assert_eq!(path.contains("%2F"), syntax.has(PathSyntax::ENCODED_SLASH), "{path}");
    assert_eq!(path.contains(';'), syntax.has(PathSyntax::PARAMETERS), "{path}");
    assert_eq!(path.contains("//"), syntax.has(PathSyntax::EMPTY_SEGMENTS), "{path}");
    let mut form = path.as_bytes().to_vec();
    let mut slashes = count_slashes(&form) + path.matches("%2F").count();
    for decoding in 0..=DECODINGS {
        if decoding > 0 && !syntax.has(PathSyntax::DOUBLE_ENCODING) {
            assert_eq!(count_slashes(&form), slashes, "{path}: a segment more in one decoding");
        }
        if !syntax.has(PathSyntax::NON_UTF8) && decoding <= 1 {
            assert!(str::from_utf8(&form).is_ok(), "{path}");
        }
        assert!(form.first() == Some(&b'/') && !form.iter().any(is_never_allowed), "{path}");
        check_segments(path, &form);
        slashes = slashes.max(count_slashes(&form));
        form = decode(&form);
    }
    assert_eq!(decode(&form), form, "{path} can be decoded a fourth time");
}

fn check_segments(path: &str, form: &[u8]) {
    assert!(!path.starts_with("//"), "{path}");
    for segment in form[1..].split(|byte| *byte == b'/') {
        // A parameter, a query or a fragment that a server cuts off.
        let end = segment.iter().position(|byte| b";?#".contains(byte)).unwrap_or(segment.len());
        let kept = segment[..end].trim_ascii();
        assert!(kept != b"." && kept != b"..", "{path}: a dot segment");
    }
}

fn count_slashes(path: &[u8]) -> usize {
    path.iter().filter(|byte| **byte == b'/').count()
}

fn is_never_allowed(byte: &u8) -> bool {
    *byte == b'\\' || byte.is_ascii_control()
}

/// An escape without two hex digits stays as it is.
fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap());
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}
