//! Spellings of a path that some servers read in another way, and that a rule may allow all the same.

use std::fmt;

/// A set of spellings that a path has, or that a rule allows. None of them ever brings a dot segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathSyntax(u8);

// === impl PathSyntax ===

impl PathSyntax {
    /// `%2F`.
    pub const ENCODED_SLASH: Self = Self(1);
    /// `;`.
    pub const PARAMETERS: Self = Self(1 << 1);
    /// `//`, but not at the beginning.
    pub const EMPTY_SEGMENTS: Self = Self(1 << 2);
    /// `%252F`: an escape that hides a slash from a server that decodes once.
    pub const DOUBLE_ENCODING: Self = Self(1 << 3);
    /// `%E9`: escapes that are not UTF-8.
    pub const NON_UTF8: Self = Self(1 << 4);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::ENCODED_SLASH, "encoded_slash"),
        (Self::PARAMETERS, "parameters"),
        (Self::EMPTY_SEGMENTS, "empty_segments"),
        (Self::DOUBLE_ENCODING, "double_encoding"),
        (Self::NON_UTF8, "non_utf8"),
    ];

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }

    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The members that the other set lacks.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<Self> for PathSyntax {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), |set, one| Self(set.0 | one.0))
    }
}

impl fmt::Display for PathSyntax {
    /// As the configuration spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES.iter().filter(|(one, _)| self.has(*one)).map(|(_, name)| *name);
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}
