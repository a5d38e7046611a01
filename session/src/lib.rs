//! Session JWT: claims, keys and the rules by which a token is believed.
//!
//! The edge and custody both verify every Session JWT themselves; this crate is the one place
//! where the rules stand, so that the two can not drift apart. It does no I/O and never asks the
//! clock: `now` is an argument.
//!
//! ```
//! # use serde_json::json;
//! let keys = session::KeySet::from_jwks(&json!({"keys": [{
//!     "kty": "OKP", "crv": "Ed25519", "kid": "k1",
//!     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
//! }]})).expect("RFC 8037 appendix A.2");
//! let rules = session::Rules::new("https://control-plane.example", "leasehold-edge");
//! let verifier = session::Verifier::new(rules, keys);
//! let refusal = verifier.verify(b"not.a.token", 1_700_000_000).unwrap_err();
//! assert_eq!(refusal.code(), "session_malformed");
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod algorithm;
mod base64url;
mod claim_path;
mod claim_value;
mod claims;
mod conditions;
mod issuer_keys;
mod jwks;
mod jwks_error;
mod public_key;
mod refusal;
mod roca;
mod rules;
mod session_name;
mod signatures;
pub mod strict_json;
pub mod unverified;
mod verified;
mod verifier;

#[cfg(feature = "mint")]
pub mod mint;

pub use algorithm::Algorithm;
pub use claim_path::ClaimPath;
pub use conditions::ClaimConditions;
pub use issuer_keys::{IssuerKeys, KeyChange};
pub use jwks::KeySet;
pub use jwks_error::JwksError;
pub use refusal::Refusal;
pub use rules::{
    ISSUERS, LEEWAY_CEILING, LEEWAY_DEFAULT, LIFETIME_CEILING, LIFETIME_DEFAULT, Rules, RulesError,
    TOKEN_BYTES, errors_between, errors_of_form, issuer_field, names_its_issuer,
};
pub use session_name::SessionName;
pub use signatures::{Said, Signatures, Signed, Unaided};
pub use verified::Session;
pub use verifier::Verifier;

/// Seconds since the Unix epoch (RFC 7519 section 2, NumericDate, rounded to whole seconds).
pub type UnixSeconds = u64;
