//! Values of the header `authorization`. Sized up front, so that no vector moves and leaves a copy of
//! the secret behind.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lease::Secret;
use zeroize::Zeroizing;

/// `Bearer TOKEN` (RFC 6750 section 2.1).
pub(crate) fn bearer(token: &[u8]) -> Secret {
    const SCHEME: &[u8] = b"Bearer ";
    let mut value = Vec::with_capacity(SCHEME.len() + token.len());
    value.extend_from_slice(SCHEME);
    value.extend_from_slice(token);
    Secret::new(value)
}

/// `Basic base64(USER:PASSWORD)` (RFC 7617 section 2). Nothing is encoded first; OAuth 2 client
/// authentication wants that (RFC 6749 section 2.3.1).
pub(crate) fn basic(user: &str, password: &[u8]) -> Secret {
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    pair.extend_from_slice(user.as_bytes());
    pair.push(b':');
    pair.extend_from_slice(password);
    let mut value = String::with_capacity(6 + pair.len().div_ceil(3) * 4);
    value.push_str("Basic ");
    STANDARD.encode_string(&*pair, &mut value);
    Secret::new(value)
}
