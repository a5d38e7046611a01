//! Why a capability token does not do: a code a reason.

use crate::api::refusal::Refusal;
use session::Refusal as TokenRefusal;

/// A capability was refused, and nothing was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No `Authorization: Bearer`, or more than one.
    Missing,
    /// What is wrong with any JWT.
    Token(TokenRefusal),
    /// `op`, `actor` or `service` is missing or no text.
    Claims,
    /// Older than `max_age`, whatever its `exp`.
    Stale,
    /// It is for another operation.
    Operation,
    /// It is for another actor.
    Actor,
    /// It is for another service.
    Service,
    /// It was used before.
    Replayed,
}

// === impl Refused ===

impl Refused {
    /// Every code; for metrics and their tests.
    pub const CODES: [&'static str; 17] = [
        "capability_missing",
        "capability_too_large",
        "capability_malformed",
        "capability_algorithm",
        "capability_unknown_key",
        "capability_signature",
        "capability_issuer",
        "capability_audience",
        "capability_expired",
        "capability_not_yet_valid",
        "capability_lifetime",
        "capability_claims",
        "capability_stale",
        "capability_operation",
        "capability_actor",
        "capability_service",
        "capability_replayed",
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "capability_missing",
            Self::Token(refusal) => of_token(refusal),
            Self::Claims => "capability_claims",
            Self::Stale => "capability_stale",
            Self::Operation => "capability_operation",
            Self::Actor => "capability_actor",
            Self::Service => "capability_service",
            Self::Replayed => "capability_replayed",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Missing => "one Authorization: Bearer TOKEN is needed",
            Self::Token(_) => "the token does not verify",
            Self::Claims => "op, actor or service is missing or no text",
            Self::Stale => "the token is too old; make one for each call",
            Self::Operation => "the token is for another operation",
            Self::Actor => "the token is for another actor",
            Self::Service => "the token is for another service",
            Self::Replayed => "the token was used before; make one for each call",
        }
    }
}

const fn of_token(refusal: TokenRefusal) -> &'static str {
    match refusal {
        TokenRefusal::TooLarge => "capability_too_large",
        TokenRefusal::Malformed => "capability_malformed",
        TokenRefusal::Algorithm => "capability_algorithm",
        TokenRefusal::UnknownKey => "capability_unknown_key",
        TokenRefusal::Signature => "capability_signature",
        TokenRefusal::Issuer => "capability_issuer",
        TokenRefusal::Audience => "capability_audience",
        TokenRefusal::Expired => "capability_expired",
        TokenRefusal::NotYetValid => "capability_not_yet_valid",
        TokenRefusal::Lifetime => "capability_lifetime",
        TokenRefusal::Claims(_) | TokenRefusal::Name | TokenRefusal::Required => {
            "capability_claims"
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let (code, text) = (refused.code(), refused.text());
        match refused {
            Refused::Operation | Refused::Actor | Refused::Service => Self::forbidden(code, text),
            _ => Self::unauthorized(code, text),
        }
    }
}
