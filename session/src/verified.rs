//! A session whose token has been verified. Only [`Verifier::verify`](crate::Verifier::verify)
//! makes one.

use std::sync::Arc;

use serde_json::Value;

use crate::UnixSeconds;
use crate::claim_path::ClaimPath;
use crate::claims::{Claims, whole_seconds};
use crate::conditions::ClaimConditions;

/// The claims of a verified token. Cheap to clone. Shows no claim value in `Debug`, so that it can
/// stand in a log line by accident.
#[derive(Clone)]
pub struct Session {
    claims: Arc<Claims>,
}

// === impl ClaimConditions ===

impl ClaimConditions {
    /// Whether the session fulfils every condition.
    pub fn met_by(&self, session: &Session) -> bool {
        self.met_by_unverified(&session.claims.all)
    }
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

    /// `sub`: whom the token stands for; never empty. Absent only where the issuer's sessions are named
    /// without it.
    pub fn subject(&self) -> Option<&str> {
        self.claims.subject.as_deref()
    }

    /// `jti`: the token's own name; never empty. Absent only where the issuer's sessions are named
    /// without it.
    pub fn jwt_id(&self) -> Option<&str> {
        self.claims.jwt_id.as_deref()
    }

    /// The name of the session that the token belongs to: the issuer, `#`, and what the issuer's
    /// [`SessionName`](crate::SessionName) makes of the token. Revocations and session limits go by it.
    pub fn id(&self) -> &str {
        &self.claims.name
    }

    /// The end: `exp`, or the issuer's `max_lifetime` after `iat` if that is sooner. Without any leeway.
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

    /// A claim that may be inside another.
    pub fn claim_at(&self, path: &ClaimPath) -> Option<&Value> {
        path.find(&self.claims.all)
    }

    /// A claim that is a time (RFC 7519 section 2, NumericDate), a fraction rounded down. `None` if it is
    /// missing, or is not a time.
    pub fn time_claim(&self, name: &str) -> Option<UnixSeconds> {
        self.claim(name).and_then(|value| whole_seconds(value, f64::floor))
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(..)")
    }
}
