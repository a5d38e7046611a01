//! The claims of a token: which must be there, their types, and the rules about time.

use serde_json::{Map, Value};

use crate::UnixSeconds;
use crate::refusal::Refusal;
use crate::rules::LIFETIME_CEILING;
use crate::strict_json;

/// Claims of the right types (RFC 7519 section 4.1), not yet held against rules.
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) jwt_id: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) expires_at: UnixSeconds,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) not_before: Option<UnixSeconds>,
    pub(crate) all: Map<String, Value>,
}

// === impl Claims ===

impl Claims {
    /// From the payload of a token whose signature was checked.
    pub(crate) fn from_authenticated(payload: &[u8]) -> Result<Claims, Refusal> {
        let all = strict_json::object(payload).ok_or(Refusal::Malformed)?;
        // Nobody here asks for it, but it is a string wherever it is defined (OpenID Connect Core section 2).
        if all.get("nonce").is_some_and(|nonce| !nonce.is_string()) {
            return Err(Refusal::Claims("nonce"));
        }
        Ok(Claims {
            issuer: text(&all, "iss")?,
            subject: text(&all, "sub")?,
            jwt_id: text(&all, "jti")?,
            audiences: audiences(&all)?,
            expires_at: seconds(&all, "exp")?.ok_or(Refusal::Claims("exp"))?,
            issued_at: seconds(&all, "iat")?.ok_or(Refusal::Claims("iat"))?,
            not_before: seconds(&all, "nbf")?,
            all,
        })
    }

    /// Everything about time. Saturating, so that no number a token carries can wrap around.
    ///
    /// The leeway is for beginnings alone: a clock that is slow does not refuse a token that is new. A
    /// token ends at `exp` for everybody, as no lease outlives it and there is to be one answer.
    pub(crate) fn check_time(&self, leeway: u64, now: UnixSeconds) -> Result<(), Refusal> {
        match self.expires_at.checked_sub(self.issued_at) {
            Some(1..=LIFETIME_CEILING) => {}
            _ => return Err(Refusal::Lifetime),
        }
        if now >= self.expires_at {
            return Err(Refusal::Expired);
        }
        let latest_start = self.issued_at.max(self.not_before.unwrap_or(0));
        if latest_start > now.saturating_add(leeway) {
            return Err(Refusal::NotYetValid);
        }
        Ok(())
    }
}

/// A claim that must be a string with something in it.
fn text(all: &Map<String, Value>, name: &'static str) -> Result<String, Refusal> {
    match all.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        _ => Err(Refusal::Claims(name)),
    }
}

/// Whole seconds: no string, no fraction or exponent (`1e9` is a float to JSON), no minus.
fn seconds(all: &Map<String, Value>, name: &'static str) -> Result<Option<UnixSeconds>, Refusal> {
    match all.get(name) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or(Refusal::Claims(name)),
    }
}

/// One string, or an array of nothing but strings (RFC 7519 section 4.1.3).
fn audiences(all: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    match all.get("aud") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(several)) => several
            .iter()
            .map(|entry| entry.as_str().map(str::to_owned).ok_or(Refusal::Claims("aud")))
            .collect(),
        _ => Err(Refusal::Claims("aud")),
    }
}
