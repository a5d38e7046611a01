//! The rules of a path, as errors.

use std::fmt;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    NotAbsolute,
    /// `.` or `..`, also percent-encoded, and also with what some servers cut off behind it (an
    /// encoded `;`, `?`, `#` or blank).
    DotSegment,
    /// `//`, also with encoded blanks between the two.
    EmptySegment,
    /// `\` or `%5C`, which some servers read as a slash.
    Backslash,
    /// `%2F`: a slash to some servers and a letter to others.
    EncodedSlash,
    /// `;` begins a parameter that some servers cut off before they match.
    Parameter,
    /// `%` without two hex digits.
    Escape,
    /// Decoded more than once, it breaks one of these rules; or it can be decoded four times.
    DoubleEscape,
    /// A control byte (also encoded), blank, `#`, or a byte outside ASCII.
    Byte,
    /// Escapes that are no UTF-8; some servers read `%C0%AE` as a dot.
    Encoding,
}

// === impl PathError ===

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "a path begins with '/'",
            Self::DotSegment => "a path has no '.' or '..' segments",
            Self::EmptySegment => "a path has no empty or blank segments ('//')",
            Self::Backslash => "a path has no backslash",
            Self::EncodedSlash => "a path has no encoded slash ('%2F')",
            Self::Parameter => "a path has no ';' parameters",
            Self::Escape => "a '%' is followed by two hex digits",
            Self::DoubleEscape => {
                "a path is the same to a server that decodes it again ('%252F' hides a slash)"
            }
            Self::Byte => "a path has only printable ASCII, without '#'",
            Self::Encoding => "the escapes of a path are UTF-8",
        })
    }
}

impl std::error::Error for PathError {}
