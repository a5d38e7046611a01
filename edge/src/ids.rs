//! The identifiers of callouts and of open requests.

use crate::rng::Rng;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The number of a fetch, never given twice by one edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchId(u64);

/// The identifier of a permitted request between the two filters: 128 random bits. A ticket of another VM, or of
/// the one that a trapped VM was replaced by, is not in this edge's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u128);

// === impl FetchId ===

impl FetchId {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}

// === impl Ticket ===

impl Ticket {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        Self(u128::from(rng.number()) << 64 | u128::from(rng.number()))
    }
}

impl fmt::Display for Ticket {
    /// 32 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for Ticket {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        u128::from_str_radix(text, 16).map(Self)
    }
}
