//! One value that a condition allows.

use serde_json::{Number, Value};

/// A text with stars, or any other JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WantedValue {
    Exact(Value),
    Glob(Vec<Part>),
}

/// A piece of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// `*`: any characters but `/` and `:`, which divide the names that issuers write.
    Segment,
    /// `**`: any characters.
    Anything,
}

// === impl WantedValue ===

impl WantedValue {
    /// A text with a star is a glob. In a glob, a backslash takes the meaning of the next character away.
    pub(crate) fn new(value: Value) -> Result<WantedValue, &'static str> {
        match value {
            Value::String(text) if text.contains('*') => parts(&text).map(|parts| {
                match parts.as_slice() {
                    // Every star was behind a backslash.
                    [Part::Text(text)] => WantedValue::Exact(Value::String(text.clone())),
                    _ => WantedValue::Glob(parts),
                }
            }),
            value => Ok(WantedValue::Exact(value)),
        }
    }

    pub(crate) fn fits(&self, held: &Value) -> bool {
        match self {
            WantedValue::Exact(Value::Number(wanted)) => {
                held.as_number().is_some_and(|held| is_same_number(wanted, held))
            }
            WantedValue::Exact(wanted) => wanted == held,
            WantedValue::Glob(parts) => held.as_str().is_some_and(|held| fits(parts, held)),
        }
    }

    /// Whether one value could fit both. Of two globs only the fixed ends are looked at, so this may say
    /// yes where it should say no, and never the other way.
    pub(crate) fn overlaps(&self, other: &WantedValue) -> bool {
        match (self, other) {
            (WantedValue::Exact(value), other) => other.fits(value),
            (glob, WantedValue::Exact(value)) => glob.fits(value),
            (WantedValue::Glob(ours), WantedValue::Glob(theirs)) => {
                let (start, their_start) = (edge(ours.first()), edge(theirs.first()));
                let (end, their_end) = (edge(ours.last()), edge(theirs.last()));
                (start.starts_with(their_start) || their_start.starts_with(start))
                    && (end.ends_with(their_end) || their_end.ends_with(end))
            }
        }
    }
}

/// JSON has one kind of number: `1` and `1.0` are the same.
fn is_same_number(one: &Number, other: &Number) -> bool {
    let whole = |number: &Number| number.as_i128();
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

fn edge(part: Option<&Part>) -> &str {
    match part {
        Some(Part::Text(text)) => text,
        _ => "",
    }
}

fn parts(glob: &str) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = glob.chars().peekable();
    while let Some(char) = chars.next() {
        let star = match char {
            '*' if chars.next_if_eq(&'*').is_some() => Part::Anything,
            '*' => Part::Segment,
            '\\' => {
                text.push(chars.next().ok_or("ends with a backslash; write two for one")?);
                continue;
            }
            char => {
                text.push(char);
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        if chars.peek() == Some(&'*') {
            return Err("has three stars in a row; write * or **");
        }
        parts.push(star);
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

/// Keeps every place that the parts so far may end at, so the time is at most the product of the lengths,
/// whatever the token's issuer lets people write into a claim.
fn fits(parts: &[Part], text: &str) -> bool {
    // The texts that the parts so far may have left over, by their start.
    let mut starts = vec![0];
    for part in parts {
        starts = match part {
            Part::Text(wanted) => starts
                .into_iter()
                .filter(|start| rest(text, *start).starts_with(wanted.as_str()))
                .map(|start| start + wanted.len())
                .collect(),
            Part::Segment => reached(&starts, text, |char| char != '/' && char != ':'),
            Part::Anything => reached(&starts, text, |_| true),
        };
        if starts.is_empty() {
            return false;
        }
    }
    starts.last() == Some(&text.len())
}

/// Every place that a star reaches from these, in order.
fn reached(starts: &[usize], text: &str, crosses: impl Fn(char) -> bool) -> Vec<usize> {
    let mut reached = Vec::new();
    for start in starts {
        if reached.last().is_some_and(|last| last >= start) {
            continue;
        }
        reached.push(*start);
        for (at, char) in rest(text, *start).char_indices() {
            if !crosses(char) {
                break;
            }
            reached.push(start + at + char.len_utf8());
        }
    }
    reached
}

fn rest(text: &str, start: usize) -> &str {
    text.get(start..).unwrap_or_default()
}
