//! What a token is held against besides its signature.

/// The longest token that is looked at, in bytes.
pub const TOKEN_BYTES: usize = 8192;
/// The longest life of a token, `exp - iat`, in seconds.
pub const LIFETIME_CEILING: u64 = 3600;
/// Allowance for clocks that differ, in seconds, if the configuration names none.
pub const LEEWAY_DEFAULT: u64 = 30;
/// No leeway is longer than this, in seconds.
pub const LEEWAY_CEILING: u64 = 300;

/// Whose tokens are believed, and how far clocks may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `iss` must be exactly this, byte for byte.
    pub issuer: String,
    /// `aud` must be, or contain, exactly this.
    pub audience: String,
    /// Seconds, for `nbf` and `iat`; there is none for `exp`. [`Verifier::new`](crate::Verifier::new) cuts it
    /// to [`LEEWAY_CEILING`]; configurations should refuse more with an error of their own.
    pub leeway: u64,
}

// === impl Rules ===

impl Rules {
    /// With the default leeway.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Rules {
        Rules { issuer: issuer.into(), audience: audience.into(), leeway: LEEWAY_DEFAULT }
    }
}
