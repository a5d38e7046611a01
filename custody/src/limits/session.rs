//! How long a session may sleep, and how long it may last.

use lease::UnixSeconds;
use session::Session;

/// `session.idle` and `session.absolute`, in seconds; `None` is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// A session that was not in use for so long has ended. Leases and the edges' reports count as
    /// use.
    pub idle: Option<u64>,
    /// A session ends so long after its user logged in (`auth_time`, OpenID Connect Core 1.0
    /// section 2), however often its token was renewed.
    pub absolute: Option<u64>,
}

/// The absolute limit does not let a session go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOver {
    /// The session does not name the time of its login, or names one after its token was issued.
    NoAuthTime,
    /// The limit has passed.
    Absolute,
}

// === impl SessionLimits ===

impl SessionLimits {
    pub const IDLE: u64 = 15 * 60;

    /// When the session ends by the absolute limit; `None` if there is none.
    ///
    /// # Errors
    /// [`SessionOver`], if there is a limit.
    pub fn end(
        &self,
        session: &Session,
        now: UnixSeconds,
    ) -> Result<Option<UnixSeconds>, SessionOver> {
        let Some(absolute) = self.absolute else { return Ok(None) };
        let began = session.time_claim("auth_time");
        // A session that began after its token was made would last as long as it likes to say.
        let began = began.filter(|began| *began <= session.issued_at());
        let end = began.ok_or(SessionOver::NoAuthTime)?.saturating_add(absolute);
        if now >= end { Err(SessionOver::Absolute) } else { Ok(Some(end)) }
    }

    /// Has a session that was last in use then ended?
    pub fn is_idle(&self, last_seen: Option<UnixSeconds>, now: UnixSeconds) -> bool {
        match (self.idle, last_seen) {
            (Some(idle), Some(last_seen)) => last_seen.saturating_add(idle) <= now,
            // Never in use before: it begins now.
            (_, None) | (None, _) => false,
        }
    }

    /// A session last seen at or before this time has ended; 0 if none has.
    pub fn idle_since(&self, now: UnixSeconds) -> UnixSeconds {
        self.idle.map_or(0, |idle| now.saturating_sub(idle))
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle: Some(Self::IDLE), absolute: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use session::mint::SigningKey;
    use session::{Algorithm, KeySet, Rules, Verifier};

    const NOW: u64 = 1_800_000_000;

    fn session(auth_time: &Value) -> Session {
        let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
        let keys = KeySet::from_jwks(&key.public_jwks()).unwrap();
        let claims = json!({"iss": "i", "aud": "a", "sub": "s", "jti": "j", "iat": NOW,
            "exp": NOW + 600, "auth_time": auth_time});
        let token = key.sign(&claims).unwrap();
        Verifier::new(Rules::new("i", "a"), keys).verify(token.as_bytes(), NOW).unwrap()
    }

    #[test]
    fn the_absolute_limit_counts_from_the_login() {
        let limits = SessionLimits { idle: None, absolute: Some(3600) };
        let end = |auth_time: Value| limits.end(&session(&auth_time), NOW);
        assert_eq!(end(json!(NOW - 10)), Ok(Some(NOW + 3590)));
        assert_eq!(end(json!(NOW - 3599)), Ok(Some(NOW + 1)));
        // No session lasts longer for a fraction.
        assert_eq!(end(json!(NOW as f64 - 9.5)), Ok(Some(NOW + 3590)));
        assert_eq!(end(json!(NOW - 3600)), Err(SessionOver::Absolute));
        for strange in [json!(null), json!("1"), json!(-1), json!(NOW + 1), json!([])] {
            assert_eq!(end(strange), Err(SessionOver::NoAuthTime));
        }
        assert_eq!(SessionLimits::default().end(&session(&json!(null)), NOW), Ok(None));
    }

    #[test]
    fn who_was_not_seen_is_asleep_and_who_is_new_is_not() {
        let limits = SessionLimits { idle: Some(60), absolute: None };
        assert!(!limits.is_idle(None, NOW));
        assert!(!limits.is_idle(Some(NOW - 59), NOW));
        assert!(limits.is_idle(Some(NOW - 60), NOW));
        assert_eq!(limits.idle_since(NOW), NOW - 60, "the same second by the other way");
        let off = SessionLimits { idle: None, absolute: None };
        assert!(!off.is_idle(Some(0), NOW));
        assert_eq!(off.idle_since(NOW), 0);
    }
}
