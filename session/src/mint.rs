//! Making keys and signing tokens: for `session-jwt`, demos and tests. The verifying side never
//! enables this feature.

mod jwt_id;
mod key_error;
mod signing_key;
mod thumbprint;

pub use jwt_id::fresh_jwt_id;
pub use key_error::KeyError;
pub use signing_key::SigningKey;
pub use thumbprint::thumbprint;
