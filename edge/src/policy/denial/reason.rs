//! The code, the status and the title of each denial.

use super::Denial;
use lease::LeaseFault;
use session::Refusal;

/// The public texts of a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Stable; goes to the guest, to metrics and to logs.
    pub code: &'static str,
    /// The HTTP status; 401 becomes 407 on a CONNECT.
    pub status: u16,
    /// For people.
    pub title: &'static str,
}

// === impl Denial ===

impl Denial {
    /// The text for guests.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Session(refusal) => of_session(refusal),
            Self::Lease(fault) => of_lease(fault),
            Self::HostNotAllowed
            | Self::PortNotAllowed
            | Self::SessionNotAllowed
            | Self::MethodNotAllowed
            | Self::PathNotAllowed
            | Self::QueryNotAllowed
            | Self::HeaderNotAllowed
            | Self::UpgradeNotAllowed
            | Self::DestinationAmbiguous => of_allow_list(self),
            Self::IdempotencyKey
            | Self::BodyTooLarge
            | Self::ExpectationFailed
            | Self::BodyTimeout
            | Self::ReplayRejected => of_operation(self),
            Self::RevocationsStale
            | Self::HandleRevoked
            | Self::CustodyRefused
            | Self::CustodyRateLimited
            | Self::CustodyUnavailable
            | Self::CustodyTimeout
            | Self::CustodyUnknownCluster
            | Self::CustodyAnswer => of_custody(self),
            _ => of_request(self),
        }
    }
}

const fn of_request(denial: Denial) -> Reason {
    let (code, status, title) = match denial {
        Denial::SessionMissing => ("session_missing", 401, "No Session JWT came with the request."),
        Denial::SessionAmbiguous => {
            ("session_ambiguous", 401, "The request carries two different session tokens.")
        }
        Denial::SessionKeysMissing => (
            "session_keys_missing",
            503,
            "The edge has no keys yet to verify sessions with; try later.",
        ),
        Denial::SessionKeysStale => (
            "session_keys_stale",
            503,
            "The edge's keys to verify sessions with are too old; try later.",
        ),
        Denial::SessionBinding => {
            ("session_binding", 403, "The session is bound to another place.")
        }
        Denial::SessionRevoked => ("session_revoked", 401, "The session has been revoked."),
        Denial::KillSwitch => ("kill_switch", 503, "Everything is stopped here; try later."),
        Denial::AuthorityMalformed => {
            ("authority_malformed", 403, "The authority is not a host with an optional port.")
        }
        Denial::ConnectRequired => (
            "connect_required",
            403,
            "This proxy takes CONNECT for https, and nothing in the clear.",
        ),
        Denial::NestedConnect => ("nested_connect", 403, "A tunnel can not be opened here."),
        Denial::AuthorityMismatch => {
            ("authority_mismatch", 403, "The request's authority is not the one of its CONNECT.")
        }
        Denial::SniMismatch => {
            ("sni_mismatch", 403, "The request's host is not the server name of its TLS handshake.")
        }
        Denial::PathMalformed => {
            ("path_malformed", 403, "The path can be read in more than one way.")
        }
        Denial::RequestMalformed => {
            ("request_malformed", 403, "The request has no single method, authority and path.")
        }
        Denial::NotConfigured => {
            ("not_configured", 503, "The edge is not configured for this request.")
        }
        _ => ("internal", 503, "The edge could not decide, and so denies."),
    };
    Reason::new(code, status, title)
}

const fn of_allow_list(denial: Denial) -> Reason {
    let (code, title) = match denial {
        Denial::HostNotAllowed => ("host_not_allowed", "The host is not on the allow-list."),
        Denial::PortNotAllowed => ("port_not_allowed", "The port is not on the allow-list."),
        Denial::SessionNotAllowed => {
            ("session_not_allowed", "This session may not use this destination.")
        }
        Denial::MethodNotAllowed => ("method_not_allowed", "The method is not on the allow-list."),
        Denial::PathNotAllowed => ("path_not_allowed", "The path is not on the allow-list."),
        Denial::QueryNotAllowed => {
            ("query_not_allowed", "The query is not on the allow-list, or can be read in two ways.")
        }
        Denial::HeaderNotAllowed => {
            ("header_not_allowed", "A header, or a path that it names, is not on the allow-list.")
        }
        Denial::UpgradeNotAllowed => {
            ("upgrade_not_allowed", "The upgrade is not on the allow-list.")
        }
        _ => (
            "destination_ambiguous",
            "Two destinations with different credentials match the request.",
        ),
    };
    Reason::new(code, 403, title)
}

const fn of_operation(denial: Denial) -> Reason {
    let (code, status, title) = match denial {
        Denial::IdempotencyKey => (
            "idempotency_key_malformed",
            400,
            "The idempotency key is not one value of 1 to 256 visible characters.",
        ),
        Denial::BodyTooLarge => {
            ("body_too_large", 413, "The body is longer than this destination takes.")
        }
        Denial::ExpectationFailed => (
            "expectation_failed",
            417,
            "The edge needs the body of this request first; send no Expect.",
        ),
        Denial::BodyTimeout => ("body_timeout", 408, "The body did not arrive in time."),
        _ => ("replay_rejected", 409, "This operation has had its one credential before."),
    };
    Reason::new(code, status, title)
}

const fn of_session(refusal: Refusal) -> Reason {
    let title = match refusal {
        Refusal::TooLarge => "The session token is over 8 KiB.",
        Refusal::Malformed => "The session token is not a well-formed JWT.",
        Refusal::Algorithm => "The issuer or the key does not allow the session token's algorithm.",
        Refusal::UnknownKey => "The session token's key is not known.",
        Refusal::Signature => "The session token's signature is wrong.",
        Refusal::Issuer => "The session token is of an issuer that is not known here.",
        Refusal::Audience => "The session token is for another audience.",
        Refusal::Expired => "The session has expired.",
        Refusal::NotYetValid => "The session is not valid yet.",
        Refusal::Lifetime => "The session token is too old, or its exp is not after its iat.",
        Refusal::Claims(_) | Refusal::Name | Refusal::Required => {
            "The session token lacks a claim, or has one that does not fit."
        }
    };
    Reason::new(refusal.code(), 401, title)
}

const fn of_custody(denial: Denial) -> Reason {
    match denial {
        Denial::RevocationsStale => Reason::new(
            "revocations_stale",
            503,
            "The edge does not know what has been revoked; try later.",
        ),
        Denial::HandleRevoked => {
            Reason::new("handle_revoked", 403, "The credential of this destination is revoked.")
        }
        Denial::CustodyRefused => {
            Reason::new("custody_refused", 403, "Custody grants this session no credential here.")
        }
        Denial::CustodyRateLimited => Reason::new(
            "custody_rate_limited",
            429,
            "Custody has leased too much to this session; try later.",
        ),
        Denial::CustodyTimeout => {
            Reason::new("custody_timeout", 503, "Custody did not answer in time.")
        }
        Denial::CustodyUnknownCluster => {
            Reason::new("custody_unknown_cluster", 503, "The edge has no route to custody.")
        }
        Denial::CustodyAnswer => {
            Reason::new("custody_answer", 502, "Custody's answer is not one of the contract's.")
        }
        _ => Reason::new(
            "custody_unavailable",
            503,
            "Custody can not be reached, or can not lease now.",
        ),
    }
}

const fn of_lease(fault: LeaseFault) -> Reason {
    match fault {
        LeaseFault::Malformed => {
            Reason::new("lease_malformed", 502, "Custody's lease is malformed.")
        }
        LeaseFault::NoExpiry => {
            Reason::new("lease_no_expiry", 502, "Custody's lease has no expiry.")
        }
        LeaseFault::Expired => {
            Reason::new("lease_expired", 502, "Custody's lease has already expired.")
        }
        LeaseFault::TooLong => {
            Reason::new("lease_too_long", 502, "Custody's lease lives longer than the ceiling.")
        }
        LeaseFault::Header(_) => Reason::new(
            "lease_header",
            502,
            "Custody's lease has a header that can not be written.",
        ),
        LeaseFault::Binding => {
            Reason::new("lease_binding", 502, "Custody's lease is bound otherwise than asked.")
        }
    }
}

// === impl Reason ===

impl Reason {
    const fn new(code: &'static str, status: u16, title: &'static str) -> Self {
        Self { code, status, title }
    }
}
