//! Names for new tokens.

use rsa::rand_core::{OsRng, RngCore};

use super::key_error::KeyError;
use crate::base64url;

/// A `jti` that nobody else has: 128 random bits (RFC 7519 section 4.1.7), as base64url.
///
/// # Errors
/// [`KeyError::Generate`].
pub fn fresh_jwt_id() -> Result<String, KeyError> {
    let mut bits = [0u8; 16];
    OsRng.try_fill_bytes(&mut bits).map_err(|_| KeyError::Generate)?;
    Ok(base64url::encode(bits))
}
