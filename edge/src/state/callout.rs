//! Calls of the edge to others, and their answers.

use crate::ids::FetchId;
use crate::policy::custody::Custody;
use crate::policy::denial::Denial;
use crate::policy::issuer::KeyEndpoint;
use std::time::Duration;
use zeroize::Zeroizing;

/// A request to one of Envoy's clusters. It belongs to the edge and to no stream.
pub struct Callout {
    pub purpose: Purpose,
    pub cluster: String,
    pub authority: String,
    pub method: &'static str,
    pub path: String,
    /// JSON, or empty. May hold a Session JWT, so it is wiped.
    pub body: Zeroizing<Vec<u8>>,
    pub timeout: Duration,
}

/// The purpose of a callout, and so of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `POST /v1/leases`.
    Lease(FetchId),
    /// The issuer's key set.
    Keys(FetchId),
    /// `GET /v1/sync`.
    Sync,
    /// `POST /v1/seen`: no request waits for its answer.
    Seen,
    /// `POST /v1/leases/{id}/outcome`: no request waits for its answer.
    Outcome,
}

/// The result of a callout.
#[derive(Clone, Copy)]
pub enum Answer<'a> {
    /// A response; Envoy reports its own timeout as one of 504, a failed connection as one of 503.
    Response { status: u16, body: &'a [u8] },
    /// A response that names another place (RFC 9110 section 15.4), which nobody follows. Only of key sets;
    /// others' are a [`Response`](Self::Response).
    Redirect { status: u16, location: &'a [u8] },
    /// No response: the stream was reset.
    Reset,
    /// The callout was never sent, or never answered.
    NotSent(Denial),
}

/// Custody's leases are small.
pub(crate) const MAX_LEASE: usize = 64 * 1024;

/// A key set with certificate chains is some ten thousand.
pub(crate) const MAX_KEYS: usize = 256 * 1024;

/// All that is revoked, where that is much: a hundred thousand names of ordinary length.
pub(crate) const MAX_SYNC: usize = 16 * 1024 * 1024;

// === impl Callout ===

impl Callout {
    /// To custody, without a body.
    pub(crate) fn to_custody(
        custody: &Custody,
        purpose: Purpose,
        method: &'static str,
        path: String,
    ) -> Self {
        Self {
            purpose,
            cluster: custody.cluster.clone(),
            authority: custody.authority.clone(),
            method,
            path,
            body: Zeroizing::default(),
            timeout: custody.timeout,
        }
    }

    /// For the issuer's key set.
    pub(crate) fn to_issuer(endpoint: &KeyEndpoint, fetch: FetchId) -> Self {
        Self {
            purpose: Purpose::Keys(fetch),
            cluster: endpoint.cluster.clone(),
            authority: endpoint.authority.clone(),
            method: "GET",
            path: endpoint.path.clone(),
            body: Zeroizing::default(),
            timeout: endpoint.timeout,
        }
    }
}

// === impl Purpose ===

impl Purpose {
    /// Headers beside those of every callout.
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Keys(_) => &[
                ("accept", "application/jwk-set+json, application/json"),
                ("user-agent", concat!("leasehold-edge/", env!("CARGO_PKG_VERSION"))),
            ],
            Self::Sync => &[],
            Self::Lease(_) | Self::Seen | Self::Outcome => &[("content-type", "application/json")],
        }
    }

    /// Is the place that a redirect names to be known?
    pub const fn has_redirects(self) -> bool {
        matches!(self, Self::Keys(_))
    }

    /// The longest answer that is looked at, in bytes; more is not what was asked for.
    pub const fn longest_answer(self) -> usize {
        match self {
            Self::Lease(_) => MAX_LEASE,
            Self::Keys(_) => MAX_KEYS,
            Self::Sync => MAX_SYNC,
            Self::Seen | Self::Outcome => 0,
        }
    }
}
