//! Which claim of a token is meant: one at the top, or one inside another.

use serde_json::{Map, Value};

/// A claim by its name (`team`), or by a JSON Pointer (RFC 6901) where it is inside another
/// (`/kubernetes.io/namespace`). A name that does not begin with `/` is the name of a claim at the top,
/// whatever dots and slashes are in it: `https://example.com/roles`.
#[derive(Debug, Clone)]
pub struct ClaimPath {
    text: String,
    first: String,
    /// Names of members below, or positions in an array.
    below: Vec<String>,
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
            return Ok(ClaimPath { text: text.into(), first: text.into(), below: Vec::new() });
        };
        let mut steps = pointer.split('/').map(unescaped);
        let first = steps.next().unwrap_or(Err(""))?;
        if first.is_empty() {
            return Err("names no claim; write a JSON Pointer as in /kubernetes.io/namespace");
        }
        let below = steps.collect::<Result<_, _>>()?;
        Ok(ClaimPath { text: text.into(), first, below })
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
        let top = claims.get(&self.first)?;
        self.below.iter().try_fold(top, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => items.get(position(step)?),
            _ => None,
        })
    }
}

impl PartialEq for ClaimPath {
    fn eq(&self, other: &ClaimPath) -> bool {
        self.first == other.first && self.below == other.below
    }
}

/// RFC 6901 section 4: `~1` is a slash, `~0` a tilde, and no other escape exists.
fn unescaped(step: &str) -> Result<String, &'static str> {
    let mut text = String::with_capacity(step.len());
    let mut chars = step.chars();
    while let Some(char) = chars.next() {
        text.push(match char {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err("has a ~ that is not ~0 or ~1 (RFC 6901)"),
            },
            char => char,
        });
    }
    Ok(text)
}

/// Digits without a leading zero.
fn position(step: &str) -> Option<usize> {
    let is_number = step.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = step == "0" || !step.starts_with('0');
    if is_number && is_plain { step.parse().ok() } else { None }
}
