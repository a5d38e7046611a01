//! How much is done for one caller, and at once.

mod bucket;
mod rate;
mod session;

pub use bucket::Buckets;
pub use rate::{Rate, RateError};
pub use session::{SessionLimits, SessionOver};

/// The `limits` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Lease requests of one session; `None`: any number.
    pub per_session: Option<Rate>,
    /// Lease requests for one handle, of all sessions together.
    pub per_handle: Option<Rate>,
    /// Requests being worked on at once; the next is answered 503 before its body is read.
    pub concurrent: usize,
    /// Edges that may wait for news at once (`GET /v1/sync`).
    pub pollers: usize,
}

// === impl Limits ===

impl Default for Limits {
    /// One session cannot starve the others of a handle; an edge of many workers that asks for each
    /// operation does not notice.
    fn default() -> Self {
        let per_minute = |count| Some(Rate::per_minute(count));
        Self {
            per_session: per_minute(600),
            per_handle: per_minute(60_000),
            concurrent: 1024,
            pollers: 1024,
        }
    }
}
