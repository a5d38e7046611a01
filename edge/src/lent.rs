//! What became of a lease that went out with a request.

use crate::leases::LeaseKey;
use std::rc::Rc;
use std::time::Duration;

/// A lease that a request took along. Holds no credential, so it may live as long as the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lent {
    /// One that is kept for others.
    Kept { key: LeaseKey, since: Duration },
    /// One for this operation, whose outcome custody wants to know.
    Once { lease_id: Rc<str> },
}

/// How a request ended, as Envoy tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending<'a> {
    /// The response's status, 0 if there was none.
    pub status: u16,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: &'a [u8],
}

/// What an upstream says to a credential that it does not take (RFC 9110 section 15.5.2).
const UNAUTHORIZED: u16 = 401;

// === impl Lent ===

impl Lent {
    /// Does this ending change anything?
    pub fn minds(&self, ending: Ending<'_>) -> bool {
        match self {
            Self::Kept { .. } => ending.status == UNAUTHORIZED,
            Self::Once { .. } => true,
        }
    }
}
