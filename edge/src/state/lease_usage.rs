//! How a request used its lease, and what of that the edge reports to custody.

use crate::state::leases::LeaseKey;
use lease::{Outcome, OutcomeReport};
use std::rc::Rc;
use std::time::Duration;

/// The lease that a request carries. It holds no credential, so it may live as long as the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseUsage {
    /// A lease that is cached for other requests too.
    Kept { key: LeaseKey, since: Duration },
    /// A lease for this operation alone; custody asks for its outcome.
    Once { lease_id: Rc<str> },
}

/// How a request ended, as Envoy reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOutcome<'a> {
    /// The response's status, 0 if there was none.
    pub status: u16,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: &'a [u8],
}

/// The status by which an upstream rejects a credential (RFC 9110 section 15.5.2).
const UNAUTHORIZED: u16 = 401;

/// Envoy's word for a response that is not its own.
const OF_THE_UPSTREAM: &[u8] = b"via_upstream";

/// The upstream refused the credential.
pub(crate) const UPSTREAM_401: &str = "upstream_401";
/// The guest went away before there was an answer.
pub(crate) const GUEST_GONE: &str = "guest_gone";

// === impl LeaseUsage ===

impl LeaseUsage {
    /// Does the end of a request with this status matter to custody or to the cache?
    pub fn needs_report(&self, status: u16) -> bool {
        match self {
            Self::Kept { .. } => status == UNAUTHORIZED,
            Self::Once { .. } => true,
        }
    }
}

// === impl RequestOutcome ===

impl RequestOutcome<'_> {
    /// How a request ends whose credential the upstream rejects.
    pub(crate) const REFUSAL: RequestOutcome<'static> =
        RequestOutcome { status: UNAUTHORIZED, details: OF_THE_UPSTREAM };

    /// Did the upstream refuse the credential?
    pub(crate) fn is_refusal(self) -> bool {
        self.status == UNAUTHORIZED && self.details == OF_THE_UPSTREAM
    }

    /// The report for custody. Envoy's details are read, never passed on.
    pub(crate) fn report(self) -> OutcomeReport {
        match self.failure() {
            None => OutcomeReport { outcome: Outcome::Delivered, failure_code: None },
            Some(code) => failed(code),
        }
    }

    fn failure(self) -> Option<&'static str> {
        let is = |beginning: &str| self.details.starts_with(beginning.as_bytes());
        let has = |part: &str| self.details.windows(part.len()).any(|own| own == part.as_bytes());
        match self.status {
            0 => Some(GUEST_GONE),
            UNAUTHORIZED if self.is_refusal() => Some(UPSTREAM_401),
            _ if self.details == OF_THE_UPSTREAM => None,
            // The guest left in the middle of an answer.
            _ if is("downstream") || is("http") => None,
            _ if is("upstream") && has("connection_failure") => Some("upstream_unreachable"),
            _ if is("upstream") && has("timeout") => Some("upstream_timeout"),
            _ if is("upstream") => Some("upstream_reset"),
            // Envoy answered by itself: no such name, no healthy endpoint, a filter behind ours.
            _ => Some("not_sent"),
        }
    }
}

pub(crate) fn failed(code: &str) -> OutcomeReport {
    OutcomeReport { outcome: Outcome::Failed, failure_code: Some(code.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_request_ended_in_a_word() {
        for (status, details, code) in [
            (200, "via_upstream", None),
            (500, "via_upstream", None),
            (101, "via_upstream", None),
            (401, "via_upstream", Some("upstream_401")),
            (200, "downstream_remote_disconnect", None),
            (200, "http2.remote_reset", None),
            (0, "downstream_remote_disconnect", Some("guest_gone")),
            (0, "", Some("guest_gone")),
            (
                503,
                "upstream_reset_before_response_started{connection_termination}",
                Some("upstream_reset"),
            ),
            (
                503,
                "upstream_reset_before_response_started{remote_connection_failure|x}",
                Some("upstream_unreachable"),
            ),
            (200, "upstream_reset_after_response_started{remote_reset}", Some("upstream_reset")),
            (504, "upstream_response_timeout", Some("upstream_timeout")),
            (503, "dns_resolution_failure{}", Some("not_sent")),
            (503, "leasehold_internal", Some("not_sent")),
            (401, "", Some("not_sent")),
        ] {
            let report = RequestOutcome { status, details: details.as_bytes() }.report();
            assert_eq!(report.failure_code.as_deref(), code, "{status} {details}");
            assert_eq!(report.outcome == Outcome::Failed, code.is_some());
            assert!(OutcomeReport::decode(&report.encode().unwrap()).is_ok());
        }
    }
}
