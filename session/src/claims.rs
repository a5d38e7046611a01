//! The claims of a token: which must be there, their types, and the rules about time.

use serde_json::{Map, Value};

use crate::UnixSeconds;
use crate::refusal::Refusal;
use crate::rules::LIFETIME_CEILING;
use crate::strict_json;

/// 2^53: below it, a float names each second by itself.
const EXACT: f64 = 9_007_199_254_740_992.0;

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
            expires_at: seconds(&all, "exp", f64::floor)?.ok_or(Refusal::Claims("exp"))?,
            issued_at: seconds(&all, "iat", f64::ceil)?.ok_or(Refusal::Claims("iat"))?,
            not_before: seconds(&all, "nbf", f64::ceil)?,
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

/// A NumericDate (RFC 7519 section 2), which may have a fraction. `round` makes whole seconds of it, so that
/// no token lives longer than its issuer wrote. A string, a negative number and a float that no longer tells
/// two seconds apart are refused.
fn seconds(
    all: &Map<String, Value>,
    name: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<UnixSeconds>, Refusal> {
    let Some(value) = all.get(name) else { return Ok(None) };
    if let Some(whole) = value.as_u64() {
        return Ok(Some(whole));
    }
    match value.as_f64() {
        // The cast keeps the value: it is whole, not negative and below 2^53.
        Some(date) if (0.0..EXACT).contains(&date) => Ok(Some(round(date) as UnixSeconds)),
        _ => Err(Refusal::Claims(name)),
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
