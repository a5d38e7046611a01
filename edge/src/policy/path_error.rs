//! The rules of a path, as errors.

use std::fmt;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    NotAbsolute,
    /// `.` or `..`, also percent-encoded, and also with what some servers cut off behind it (an
    /// encoded `;`, `?`, `#` or blank).
    DotSegment,
    /// A segment of blanks, which some servers take away, or `//` at the beginning.
    EmptySegment,
    /// `\` or `%5C`, which some servers read as a slash.
    Backslash,
    /// `%` without two hex digits.
    Escape,
    /// Decoded more than once, it breaks one of these rules; or it can be decoded four times.
    DoubleEscape,
    /// A control byte (also encoded), blank, `#`, or a byte outside ASCII.
    Byte,
    /// UTF-8 that is longer than need be; some servers read `%C0%AE` as a dot.
    Encoding,
}

// === impl PathError ===

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "a path begins with '/'",
            Self::DotSegment => "a path has no '.' or '..' segments",
            Self::EmptySegment => "a path has no blank segments, and does not begin with '//'",
            Self::Backslash => "a path has no backslash",
            Self::Escape => "a '%' is followed by two hex digits",
            Self::DoubleEscape => {
                "a path keeps these rules for a server that decodes it again ('%252E' hides a dot)"
            }
            Self::Byte => "a path has only printable ASCII, without '#'",
            Self::Encoding => {
                "the escapes of a path do not spell ASCII in overlong UTF-8 ('%C0%AE')"
            }
        })
    }
}

impl std::error::Error for PathError {}
