//! A condition of a rule on a parameter of the query, or on a header.

use crate::headers::Headers;
use crate::policy::proxy_headers::{is_read_as, read_as};

/// A parameter or a header with a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub name: Box<str>,
    pub expected: Expected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is there once, with one of these values.
    OneOf(Vec<Box<str>>),
    /// It is there once.
    Present,
    /// It is not there in any spelling.
    Absent,
}

// === impl Condition ===

impl Condition {
    /// Does it hold for the header of this name, also if a server folds the names of headers?
    pub(crate) fn is_met_by(&self, headers: &Headers) -> bool {
        let own =
            |name: &[u8]| name.len() == self.name.len() && is_read_as(&self.name, &read_as(name));
        let mut sent = headers.iter().filter(|(name, _)| own(name));
        match (sent.next(), sent.next(), &self.expected) {
            (first, _, Expected::Absent) => first.is_none(),
            (Some((name, value)), None, expected) => {
                *name == *self.name.as_bytes() && expected.includes(value.trim_ascii())
            }
            _ => false,
        }
    }
}

// === impl Expected ===

impl Expected {
    pub(crate) fn includes(&self, value: &[u8]) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|own| own.as_bytes() == value),
            Self::Present => true,
            Self::Absent => false,
        }
    }
}
