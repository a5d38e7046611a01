//! Why a token is not believed: one stable code a reason.

/// A token was refused. Only ever about the token; a request without one is the edge's own case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Token over [`TOKEN_BYTES`](crate::TOKEN_BYTES), or its header over 1 KiB.
    TooLarge,
    /// Not three base64url segments, not JSON objects, a member twice, `crit`, a foreign `typ`.
    Malformed,
    /// `alg` is `none`, an HMAC, unknown, not the one its key is pinned to, or not one of its issuer's
    /// `algorithms`.
    Algorithm,
    /// No `kid`, or none of our keys has it.
    UnknownKey,
    /// The signature does not fit.
    Signature,
    /// `iss` is somebody else.
    Issuer,
    /// `aud` does not name us.
    Audience,
    /// `now >= exp`.
    Expired,
    /// `nbf` or `iat` lies more than the leeway ahead.
    NotYetValid,
    /// `exp` is not after `iat`, or the token is older than its issuer's `max_lifetime`.
    Lifetime,
    /// This claim is missing, or of the wrong JSON type.
    Claims(&'static str),
    /// A claim that names the session is missing, is not a text, or is too long.
    Name,
    /// A claim that the issuer's tokens must have is missing, or has another value.
    Required,
}

// === impl Refusal ===

impl Refusal {
    /// Every code that [`Refusal::code`] can give; for tables and metrics.
    pub const CODES: [&'static str; 11] = [
        "session_too_large",
        "session_malformed",
        "session_algorithm",
        "session_unknown_key",
        "session_signature",
        "session_issuer",
        "session_audience",
        "session_expired",
        "session_not_yet_valid",
        "session_lifetime",
        "session_claims",
    ];

    /// The stable code that goes to the guest, to metrics and to logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::TooLarge => "session_too_large",
            Refusal::Malformed => "session_malformed",
            Refusal::Algorithm => "session_algorithm",
            Refusal::UnknownKey => "session_unknown_key",
            Refusal::Signature => "session_signature",
            Refusal::Issuer => "session_issuer",
            Refusal::Audience => "session_audience",
            Refusal::Expired => "session_expired",
            Refusal::NotYetValid => "session_not_yet_valid",
            Refusal::Lifetime => "session_lifetime",
            Refusal::Claims(_) | Refusal::Name | Refusal::Required => "session_claims",
        }
    }
}

impl std::fmt::Display for Refusal {
    /// What is wrong, for people; holds no value of the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Refusal::TooLarge => "the token is over 8192 bytes, or its header over 1024",
            Refusal::Malformed => "this is not a well-formed JWT",
            Refusal::Algorithm => {
                "alg is not the one its key is pinned to (EdDSA, ES256, RS256), or not its issuer's"
            }
            Refusal::UnknownKey => "kid is missing, or names no key of the key set",
            Refusal::Signature => "the signature does not fit the key that kid names",
            Refusal::Issuer => "iss is not an issuer we trust",
            Refusal::Audience => "aud does not name us",
            Refusal::Expired => "exp has passed",
            Refusal::NotYetValid => "nbf or iat lies in the future",
            Refusal::Lifetime => "exp is not after iat, or the token is older than max_lifetime",
            Refusal::Name => {
                "a claim of the issuer's `id` is missing, is not a text, or is too long"
            }
            Refusal::Required => {
                "the token lacks one of the issuer's required_claims, or has another value of it"
            }
            Refusal::Claims(name) => {
                return write!(f, "claim {name} is missing or of the wrong type");
            }
        };
        f.write_str(text)
    }
}

impl std::error::Error for Refusal {}
