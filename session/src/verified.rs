//! A session whose token has been verified. Only [`Verifier::verify`](crate::Verifier::verify)
//! makes one.

use std::sync::Arc;

use serde_json::Value;

use crate::UnixSeconds;
use crate::claims::Claims;

/// The claims of a verified token. Cheap to clone. Shows no claim value in `Debug`, so that it can
/// stand in a log line by accident.
#[derive(Clone)]
pub struct Session {
    claims: Arc<Claims>,
}

// === impl Session ===

impl Session {
    pub(crate) fn new(claims: Claims) -> Session {
        Session { claims: Arc::new(claims) }
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// `iss`: who minted the token.
    pub fn issuer(&self) -> &str {
        &self.claims.issuer
    }

    /// `sub`: whom the token stands for; never empty.
    pub fn subject(&self) -> &str {
        &self.claims.subject
    }

    /// `jti`: the token's own name; never empty.
    pub fn jwt_id(&self) -> &str {
        &self.claims.jwt_id
    }

    /// The session the token belongs to: the claim `sid` (OpenID Connect Front-Channel Logout 1.0
    /// section 3) if there is a usable one, so that a session survives the renewal of its token;
    /// else the token's `jti`. Revocations and session limits go by it.
    pub fn id(&self) -> &str {
        let sid = self.claim("sid").and_then(Value::as_str);
        sid.filter(|sid| (1..=256).contains(&sid.len())).unwrap_or(&self.claims.jwt_id)
    }

    /// `exp`, without any leeway.
    pub fn expires_at(&self) -> UnixSeconds {
        self.claims.expires_at
    }

    /// `iat`.
    pub fn issued_at(&self) -> UnixSeconds {
        self.claims.issued_at
    }

    /// Any claim by name, the registered ones included, as the token has it.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.all.get(name)
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(..)")
    }
}
