//! Which claim of a token is meant: one at the top, or one inside another.

use serde_json::{Map, Value};

/// A claim by its name (`team`), or by a JSON Pointer (RFC 6901) where it is inside another
/// (`/kubernetes.io/namespace`). A name that does not begin with `/` is the name of a claim at the top,
/// whatever dots and slashes are in it: `https://example.com/roles`.
#[derive(Debug, Clone)]
pub struct ClaimPath {
    text: String,
    first: String,
    /// A JSON Pointer from the first claim on; empty where that one is meant.
    below: String,
}

// === impl ClaimPath ===

impl ClaimPath {
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<ClaimPath, &'static str> {
        let Some(pointer) = text.strip_prefix('/') else {
            if text.is_empty() {
                return Err("is empty; write the name of a claim, or a JSON Pointer to it");
            }
            return Ok(ClaimPath { text: text.into(), first: text.into(), below: String::new() });
        };
        let (first, below) = pointer.split_at(pointer.find('/').unwrap_or(pointer.len()));
        if first.is_empty() {
            return Err("names no claim; write a JSON Pointer as in /kubernetes.io/namespace");
        }
        if !pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1'])) {
            return Err("has a ~ that is not ~0 or ~1 (RFC 6901)");
        }
        let first = first.replace("~1", "/").replace("~0", "~");
        Ok(ClaimPath { text: text.into(), first, below: below.into() })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is it this claim at the top?
    pub(crate) fn is_top(&self, name: &str) -> bool {
        self.first == name && self.below.is_empty()
    }

    /// The claim's value, if the token has it.
    pub fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        claims.get(&self.first)?.pointer(&self.below)
    }
}

impl PartialEq for ClaimPath {
    fn eq(&self, other: &ClaimPath) -> bool {
        self.first == other.first && self.below == other.below
    }
}
