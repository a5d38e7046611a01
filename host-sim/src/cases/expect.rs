//! What must come of a step.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::fmt;

/// What must come of a step. What is not said is not checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The request reached its upstream; for a CONNECT alone, the tunnel opened.
    pub allowed: Option<bool>,
    /// It did not, and the guest was told this reason.
    pub denied: Option<String>,
    /// The status the guest got.
    pub status: Option<u16>,
    /// Headers the guest got; null: must not be there.
    pub headers: Map<String, Value>,
    /// Text the guest's body contains.
    pub body_contains: Vec<String>,
    /// The guest's whole body.
    pub body: Option<String>,
    /// Text that is nowhere in what the guest got.
    pub body_lacks: Vec<String>,
    pub upstream: Option<ExpectUpstream>,
    /// The how manieth of the requests at once was answered, from 1.
    pub turn: Option<usize>,
    /// Requests that reached custody in this step.
    pub callouts: Option<usize>,
    /// Fields of the last request to custody for a lease; null: must not be there.
    pub custody: Map<String, Value>,
    /// What custody was told of leases in this step, report by report; an empty list: nothing.
    pub outcomes: Option<Vec<Value>>,
}

/// What reached the upstream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectUpstream {
    pub method: Option<String>,
    pub authority: Option<String>,
    pub path: Option<String>,
    /// Null: must not be there. A list: all values, in order.
    pub headers: Map<String, Value>,
    pub body: Option<String>,
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: String,
    pub expected: String,
    pub found: String,
}

// === impl Difference ===

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  - expected  {}", self.expected)?;
        write!(f, "  + found     {}", self.found)
    }
}
