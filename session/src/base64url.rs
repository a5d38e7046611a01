//! base64url without padding (RFC 7515 section 2), one spelling a value.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Strict: padding, whitespace, the standard alphabet and non-zero trailing bits are refused, so
/// no two texts decode to the same bytes and no bit of a token can change unseen.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The same for a key, which some issuers publish with padding. No signature covers a key set, so a second
/// spelling of a key gains nobody anything.
pub(crate) fn decode_lenient(text: &str) -> Option<Vec<u8>> {
    decode(text.trim_end_matches('=').as_bytes())
}

#[cfg(any(test, feature = "mint"))]
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
