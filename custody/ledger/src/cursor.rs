//! A place in the feed of changes.

use std::fmt;

/// `17-5f0c…`: the number of a change and its tag, which is random.
///
/// The number alone would not do: a ledger that was restored from a backup gives old numbers to new
/// changes, and a reader from before would miss them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) sequence: i64,
    /// 32 lower-case hex digits.
    pub(super) tag: String,
}

const TAG: usize = 32;

// === impl Cursor ===

impl Cursor {
    /// `None` if no ledger of ours wrote it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (sequence, tag) = text.split_once('-')?;
        let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'a'..=b'f');
        if tag.len() != TAG || !tag.bytes().all(plain) || sequence.starts_with('+') {
            return None;
        }
        Some(Self { sequence: sequence.parse().ok()?, tag: tag.to_owned() })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.sequence, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_and_nothing_else() {
        let text = format!("{}-{}", i64::MAX, "0af9".repeat(8));
        let cursor = Cursor::parse(&text).unwrap();
        assert_eq!(cursor.to_string(), text);
        assert!(lease::is_cursor(&text), "it goes into a URL, and fits");
        for bad in ["", "1", "1-", "-1-x", &text.to_uppercase(), &format!("{text}0"), "x-1"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
        let too_large = format!("9{text}");
        assert_eq!(Cursor::parse(&too_large), None);
    }
}
