//! Custody's refusals.

use serde::{Deserialize, Serialize};

/// Custody's answer to a request it does not grant: `{"code": "not_granted"}` and a status.
///
/// The edge learns only the code; custody's audit log has the reason (invariant 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalCode {
    /// The request was not understood.
    BadRequest,
    /// The Session JWT did not verify.
    SessionRefused,
    /// No grant covers this session, handle and destination.
    NotGranted,
    /// This operation already had its one lease.
    ReplayRejected,
    RateLimited,
    /// The audit sink, the store or the backend is not there.
    Unavailable,
    /// Custody has no keys of the token's issuer that are fresh enough. An edge without this code takes any
    /// 503 for an outage.
    SessionKeysUnavailable,
}

#[derive(Serialize, Deserialize)]
struct Body<T> {
    code: T,
}

// === impl RefusalCode ===

impl RefusalCode {
    pub const ALL: [Self; 7] = [
        Self::BadRequest,
        Self::SessionRefused,
        Self::NotGranted,
        Self::ReplayRejected,
        Self::RateLimited,
        Self::Unavailable,
        Self::SessionKeysUnavailable,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::SessionRefused => "session_refused",
            Self::NotGranted => "not_granted",
            Self::ReplayRejected => "replay_rejected",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::SessionKeysUnavailable => "session_keys_unavailable",
        }
    }

    /// The HTTP status it travels with.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::SessionRefused => 401,
            Self::NotGranted => 403,
            Self::ReplayRejected => 409,
            Self::RateLimited => 429,
            Self::Unavailable | Self::SessionKeysUnavailable => 503,
        }
    }

    /// One sentence, for descriptions of the interface.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BadRequest => "The request does not match the contract.",
            Self::SessionRefused => "The session does not verify, or has ended.",
            Self::NotGranted => "No grant covers the request, or what it needs is revoked.",
            Self::ReplayRejected => "The operation has had its one lease.",
            Self::RateLimited => {
                "The session or the handle is leased too often; see `Retry-After`."
            }
            Self::Unavailable => "Custody, its ledger or the source of the credential fails now.",
            Self::SessionKeysUnavailable => {
                "Custody has no keys of the token's issuer that are fresh enough."
            }
        }
    }

    pub fn encode(self) -> Vec<u8> {
        // The codes need no escaping.
        format!("{{\"code\":\"{}\"}}", self.code()).into_bytes()
    }

    /// Only a status and a code that belong together are a refusal of custody's own; anything else
    /// comes from somebody in between.
    pub fn decode(status: u16, body: &[u8]) -> Option<Self> {
        let body: Body<&str> = serde_json::from_slice(body).ok()?;
        Self::ALL.into_iter().find(|own| own.status() == status && own.code() == body.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for code in RefusalCode::ALL {
            assert_eq!(RefusalCode::decode(code.status(), &code.encode()), Some(code));
        }
        assert_eq!(RefusalCode::decode(403, br#"{"code":"unavailable"}"#), None);
        assert_eq!(RefusalCode::decode(503, b"upstream connect error"), None);
        assert_eq!(RefusalCode::decode(403, br#"{"code":"because of Bob"}"#), None);
    }
}
