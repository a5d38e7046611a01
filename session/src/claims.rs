//! The claims of a token: which must be there, their types, and the rules about time.

use serde_json::{Map, Value};

use crate::UnixSeconds;
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::session_name::SessionName;

/// 2^53: below it, a float names each second by itself.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Claims of the right types (RFC 7519 section 4.1), not yet held against rules.
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) subject: Option<String>,
    pub(crate) jwt_id: Option<String>,
    pub(crate) audiences: Vec<String>,
    /// [`Session::id`](crate::Session::id)
    pub(crate) name: String,
    pub(crate) exp: UnixSeconds,
    /// `exp`, or sooner by the issuer's `max_lifetime`.
    pub(crate) expires_at: UnixSeconds,
    pub(crate) issued_at: UnixSeconds,
    pub(crate) not_before: Option<UnixSeconds>,
    pub(crate) all: Map<String, Value>,
}

// === impl Claims ===

impl Claims {
    /// From the claims of a token whose signature was checked. `signed` is its header and payload as sent.
    pub(crate) fn from_authenticated(
        all: Map<String, Value>,
        signed: &[u8],
        rules: &Rules,
    ) -> Result<Claims, Refusal> {
        // Nobody here asks for it, but it is a string wherever it is defined (OpenID Connect Core section 2).
        if all.get("nonce").is_some_and(|nonce| !nonce.is_string()) {
            return Err(Refusal::Claims("nonce"));
        }
        let issuer = text(&all, "iss")?.ok_or(Refusal::Claims("iss"))?;
        let (subject, jwt_id) = (text(&all, "sub")?, text(&all, "jti")?);
        if rules.name == SessionName::SidOrJti {
            subject.as_ref().ok_or(Refusal::Claims("sub"))?;
            jwt_id.as_ref().ok_or(Refusal::Claims("jti"))?;
        }
        let audiences = audiences(&all)?;
        let exp = seconds(&all, "exp", f64::floor)?.ok_or(Refusal::Claims("exp"))?;
        let issued_at = seconds(&all, "iat", f64::ceil)?.ok_or(Refusal::Claims("iat"))?;
        Ok(Claims {
            name: rules.name.of(&issuer, &all, signed)?,
            issuer,
            subject,
            jwt_id,
            audiences,
            exp,
            expires_at: exp.min(issued_at.saturating_add(rules.max_lifetime)),
            issued_at,
            not_before: seconds(&all, "nbf", f64::ceil)?,
            all,
        })
    }

    /// Everything about time. Saturating, so that no number a token carries can wrap around.
    ///
    /// The leeway is for beginnings alone: a clock that is slow does not refuse a token that is new. A
    /// token ends at the same second for everybody, as no lease outlives it and there is to be one answer.
    pub(crate) fn check_time(&self, leeway: u64, now: UnixSeconds) -> Result<(), Refusal> {
        if self.exp <= self.issued_at {
            return Err(Refusal::Lifetime);
        }
        if now >= self.expires_at {
            let is_expired = now >= self.exp;
            return Err(if is_expired { Refusal::Expired } else { Refusal::Lifetime });
        }
        let latest_start = self.issued_at.max(self.not_before.unwrap_or(0));
        if latest_start > now.saturating_add(leeway) {
            return Err(Refusal::NotYetValid);
        }
        Ok(())
    }
}

/// A claim that is a string with something in it, where it is there.
fn text(all: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Refusal> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::Claims(name)),
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
    whole_seconds(value, round).map(Some).ok_or(Refusal::Claims(name))
}

pub(crate) fn whole_seconds(value: &Value, round: fn(f64) -> f64) -> Option<UnixSeconds> {
    if let Some(whole) = value.as_u64() {
        return Some(whole);
    }
    match value.as_f64() {
        // The cast keeps the value: it is whole, not negative and below 2^53.
        Some(date) if (0.0..EXACT).contains(&date) => Some(round(date) as UnixSeconds),
        _ => None,
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
