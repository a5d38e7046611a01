//! Why a capability token does not do: a code a reason.

use crate::api::refusal::Refusal;
use session::Refusal as TokenRefusal;

/// A capability was refused, and nothing was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No `Authorization: Bearer`, or more than one.
    Missing,
    /// A fault that any JWT can have.
    Token(TokenRefusal),
    /// `op`, `actor` or `service` is missing or no text.
    Claims,
    /// Older than `max_age`; its `exp` does not matter.
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
    /// Every refusal, in the order of the checks; for the table in the documentation.
    pub const ALL: [Self; 18] = [
        Self::Missing,
        Self::Token(TokenRefusal::TooLarge),
        Self::Token(TokenRefusal::Malformed),
        Self::Token(TokenRefusal::Algorithm),
        Self::Token(TokenRefusal::UnknownKey),
        Self::Token(TokenRefusal::Signature),
        Self::Token(TokenRefusal::Issuer),
        Self::Token(TokenRefusal::Audience),
        Self::Token(TokenRefusal::Expired),
        Self::Token(TokenRefusal::NotYetValid),
        Self::Token(TokenRefusal::Lifetime),
        Self::Token(TokenRefusal::Claims("")),
        Self::Claims,
        Self::Stale,
        Self::Operation,
        Self::Actor,
        Self::Service,
        Self::Replayed,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "capability_missing",
            Self::Token(refusal) => of_token(refusal).0,
            Self::Claims => "capability_claims",
            Self::Stale => "capability_stale",
            Self::Operation => "capability_operation",
            Self::Actor => "capability_actor",
            Self::Service => "capability_service",
            Self::Replayed => "capability_replayed",
        }
    }

    /// The HTTP status it travels with.
    pub const fn status(self) -> u16 {
        match self {
            Self::Operation | Self::Actor | Self::Service => 403,
            Self::Missing | Self::Token(_) | Self::Claims | Self::Stale | Self::Replayed => 401,
        }
    }

    /// The detail of the answer.
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

    /// The meaning, and the fix for the token's issuer; sentences of Markdown.
    pub const fn explanation(self) -> (&'static str, &'static str) {
        match self {
            Self::Missing => (
                "The request has no `Authorization: Bearer`, or more than one.",
                "Send one header with one token.",
            ),
            Self::Token(refusal) => (of_token(refusal).1, of_token(refusal).2),
            Self::Claims => (
                "`op`, `actor` or `service` is missing or not a string.",
                "Issue the claims as strings.",
            ),
            Self::Stale => (
                "The token is older than `workers.capabilities.max_age`.",
                "Issue a token for each call.",
            ),
            Self::Operation => {
                ("`op` is not the operation of the request.", "Issue the right `op`.")
            }
            Self::Actor => ("`actor` is not the actor of the request.", "Issue the right `actor`."),
            Self::Service => {
                ("`service` is not the service of the request.", "Issue the right `service`.")
            }
            Self::Replayed => ("A request used the token before.", "Issue a token for each call."),
        }
    }
}

/// Code, meaning and fix.
const fn of_token(refusal: TokenRefusal) -> (&'static str, &'static str, &'static str) {
    match refusal {
        TokenRefusal::TooLarge => (
            "capability_too_large",
            "The token is over 8 KiB, or its header over 1 KiB.",
            "Issue fewer claims.",
        ),
        TokenRefusal::Malformed => (
            "capability_malformed",
            "The token is not a well-formed JWT.",
            "Inspect it with `session-jwt inspect`.",
        ),
        TokenRefusal::Algorithm => (
            "capability_algorithm",
            "`alg` is not the algorithm that the key is pinned to.",
            "Sign with the algorithm that the key names.",
        ),
        TokenRefusal::UnknownKey => (
            "capability_unknown_key",
            "`kid` is missing, or names no usable key.",
            "Publish the public key before it signs.",
        ),
        TokenRefusal::Signature => (
            "capability_signature",
            "The signature does not match the key that `kid` names.",
            "A forgery, or a key that was replaced under its `kid`.",
        ),
        TokenRefusal::Issuer => (
            "capability_issuer",
            "`iss` is not the configured issuer.",
            "Compare them byte by byte.",
        ),
        TokenRefusal::Audience => (
            "capability_audience",
            "`aud` does not name the configured audience.",
            "Issue the token for custody, not for the edge.",
        ),
        TokenRefusal::Expired => {
            ("capability_expired", "`exp` has passed.", "Issue a token for each call.")
        }
        TokenRefusal::NotYetValid => (
            "capability_not_yet_valid",
            "`nbf` or `iat` is further in the future than the leeway.",
            "Check the clocks of the issuer and of custody.",
        ),
        TokenRefusal::Lifetime => (
            "capability_lifetime",
            "`exp` is not after `iat`, or the token is older than an hour.",
            "Issue tokens of a minute.",
        ),
        TokenRefusal::Claims(_) | TokenRefusal::Name | TokenRefusal::Required => (
            "capability_claims",
            "A claim of every JWT is missing, or has the wrong JSON type.",
            "Issue `exp`, `iat`, `iss`, `aud`, `sub` and `jti`.",
        ),
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let (code, text) = (refused.code(), refused.text());
        match refused.status() {
            403 => Self::forbidden(code, text),
            _ => Self::unauthorized(code, text),
        }
    }
}
