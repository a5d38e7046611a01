//! The place up to which an edge has the feed, and the owners of the handles at that time.

use crate::grants::Grants;
use sha2::{Digest, Sha256};
use std::fmt;

/// The ledger's cursor, and the mark of the grants behind the last dot.
pub(super) struct Cursor<'a> {
    pub feed: &'a str,
    pub mark: &'a str,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    /// One without a mark has the empty one, which no grants have.
    pub fn parse(text: &'a str) -> Self {
        let (feed, mark) = text.rsplit_once('.').unwrap_or((text, ""));
        Self { feed, mark }
    }
}

impl fmt::Display for Cursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.feed, self.mark)
    }
}

/// Eight hex digits that are others when another actor owns a handle. The same on every replica.
pub(super) fn mark(grants: &Grants) -> String {
    let mut hash = Sha256::new();
    for (actor, handles) in grants.handles_of_actors() {
        for handle in handles {
            // Neither may hold a blank or a line's end.
            hash.update(format!("{actor} {handle}\n"));
        }
    }
    let digest: [u8; 32] = hash.finalize().into();
    let [a, b, c, d, ..] = digest;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}
