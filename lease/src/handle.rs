//! The opaque name of a credential.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The opaque name of a credential in custody: 1 to 128 of `A-Z a-z 0-9 . _ -`, beginning with a
/// letter or digit.
///
/// Never a secret, a path or a URI: the edge can write it into logs and cannot be steered by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Handle(String);

/// The text is no [`Handle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleError;

// === impl Handle ===

impl Handle {
    /// Bytes, at most.
    pub const MAX_LENGTH: usize = 128;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Handle {
    type Error = HandleError;

    fn try_from(text: String) -> Result<Self, HandleError> {
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let all_allowed =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if begins_well && all_allowed && text.len() <= Self::MAX_LENGTH {
            Ok(Self(text))
        } else {
            Err(HandleError)
        }
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> Self {
        handle.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl HandleError ===

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = Handle::MAX_LENGTH;
        write!(
            f,
            "a handle is 1 to {longest} of A-Z a-z 0-9 . _ - and begins with a letter or digit"
        )
    }
}

impl std::error::Error for HandleError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_names_only() {
        for good in ["a", "github-ci", "7.x_Y", &"h".repeat(128)] {
            assert!(good.parse::<Handle>().is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "a/b", "a b", "é", "https://x", &"h".repeat(129), "a\n"] {
            assert_eq!(bad.parse::<Handle>(), Err(HandleError), "{bad}");
        }
    }
}
