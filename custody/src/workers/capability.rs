//! A capability token: a JWT by which its issuer lets one worker do one thing, once, now.
//!
//! ```json
//! {"iss": "https://control-plane.example", "aud": "leasehold-custody", "sub": "worker-7",
//!  "jti": "...", "iat": 1767225600, "exp": 1767225660,
//!  "op": "cred.fetch", "actor": "tenant-a", "service": "github-ci"}
//! ```
//! `service` is the handle; of a teardown, which is about all of an actor's, it is `*`. The signature,
//! `iss`, `aud` and the times are held to the rules of Session JWTs, by the same code.

use super::refused::Refused;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use custody_base::actor::Actor;
use lease::{Handle, UnixSeconds};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use session::{Session, Verifier};

/// Verifies capability tokens.
#[derive(Debug)]
pub struct Capabilities {
    verifier: Verifier,
    /// Seconds.
    max_age: u64,
    leeway: u64,
}

/// The operations that a token can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Power {
    #[serde(rename = "cred.store")]
    Store,
    #[serde(rename = "cred.fetch")]
    Fetch,
    #[serde(rename = "cred.teardown")]
    Teardown,
}

/// A token that verified; not yet held against the request, and not yet spent.
pub struct Capability {
    /// `sub`: the worker, for the audit log.
    pub worker: String,
    pub issuer: String,
    pub jwt_id: String,
    pub power: Power,
    actor: String,
    service: String,
    /// From then on it is refused for its age.
    pub stale_at: UnixSeconds,
}

/// `service` of a teardown.
const EVERYTHING: &str = "*";
const SCHEME: &str = "bearer";

// === impl Capabilities ===

impl Capabilities {
    /// `max_age` and `leeway` in seconds; `leeway` as in the verifier's rules.
    pub fn new(verifier: Verifier, max_age: u64, leeway: u64) -> Self {
        Self { verifier, max_age, leeway }
    }

    /// The token of these headers, if it verifies and allows this operation.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        power: Power,
        now: UnixSeconds,
    ) -> Result<Capability, Refused> {
        let token = bearer(headers).ok_or(Refused::Missing)?;
        let claims = self.verifier.verify(token, now).map_err(Refused::Token)?;
        let capability = Capability::of(&claims, self.max_age)?;
        // No leeway here: a clock that differs by more than its age could not be told from a token
        // that was kept.
        if now >= capability.stale_at {
            return Err(Refused::Stale);
        }
        if capability.power != power {
            return Err(Refused::Operation);
        }
        Ok(capability)
    }

    /// Until when a token of this age must be remembered as used.
    pub fn remembered_until(&self, capability: &Capability) -> UnixSeconds {
        capability.stale_at.saturating_add(self.leeway)
    }
}

/// RFC 6750 section 2.1. Two headers are two opinions.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let token = token.strip_prefix(b" ")?;
    scheme.eq_ignore_ascii_case(SCHEME.as_bytes()).then_some(token)
}

// === impl Capability ===

impl Capability {
    fn of(claims: &Session, max_age: u64) -> Result<Self, Refused> {
        let text = |name: &str| {
            let text = claims.claim(name).and_then(Value::as_str);
            text.map(str::to_owned).ok_or(Refused::Claims)
        };
        // The rules of capability tokens demand both.
        let named = |name: Option<&str>| name.map(str::to_owned).ok_or(Refused::Claims);
        let power = match text("op")?.as_str() {
            "cred.store" => Power::Store,
            "cred.fetch" => Power::Fetch,
            "cred.teardown" => Power::Teardown,
            _ => return Err(Refused::Operation),
        };
        Ok(Self {
            worker: named(claims.subject())?,
            issuer: claims.issuer().to_owned(),
            jwt_id: named(claims.jwt_id())?,
            power,
            actor: text("actor")?,
            service: text("service")?,
            stale_at: claims.issued_at().saturating_add(max_age),
        })
    }

    /// Is it for this actor, and this service of theirs (`None`: all of them)?
    ///
    /// # Errors
    /// [`Refused::Actor`] or [`Refused::Service`].
    pub fn covers(&self, actor: &Actor, service: Option<&Handle>) -> Result<(), Refused> {
        if self.actor != actor.as_str() {
            return Err(Refused::Actor);
        }
        if self.service != service.map_or(EVERYTHING, Handle::as_str) {
            return Err(Refused::Service);
        }
        Ok(())
    }
}

// === impl Power ===

impl Power {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Store => "cred.store",
            Self::Fetch => "cred.fetch",
            Self::Teardown => "cred.teardown",
        }
    }
}
