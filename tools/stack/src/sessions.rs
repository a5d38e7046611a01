//! The control plane of a stack: the key that signs Session JWTs, and what stands in them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, UnixSeconds};

use crate::random;

/// The `iss` of every stack's sessions.
pub const ISSUER: &str = "https://control-plane.test";
/// The `aud` of every stack's sessions.
pub const AUDIENCE: &str = "leasehold-edge";
/// The `sub` of a session nobody asked for by name.
pub const SUBJECT: &str = "guest-1";
/// Seconds a session lives unless its claims say otherwise.
pub const LIFE: UnixSeconds = 3600;

/// Signs sessions under one issuer and audience.
pub struct Sessions {
    key: SigningKey,
    issuer: String,
    audience: String,
}

// === impl Sessions ===

impl Sessions {
    /// With a new EdDSA key.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn generate() -> Result<Self> {
        let key = SigningKey::generate(Algorithm::EdDsa, None).context("a key for sessions")?;
        Ok(Self::with_key(key))
    }

    /// With the key in `path` (PKCS#8, PEM), which is made with mode 0600 if it is not there.
    ///
    /// # Errors
    /// The file cannot be read, written or understood.
    pub fn load_or_generate(path: &Path) -> Result<Self> {
        if path.is_file() {
            let pem = fs::read_to_string(path).with_context(|| path.display().to_string())?;
            let key = SigningKey::from_pem(&pem, None)
                .with_context(|| format!("{}; remove it and a new key is made", path.display()))?;
            return Ok(Self::with_key(key));
        }
        let sessions = Self::generate()?;
        let pem = sessions.key.to_pem().context("writing down a session key")?;
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(pem.as_bytes()))
            .with_context(|| format!("writing {}", path.display()))?;
        Ok(sessions)
    }

    pub fn with_key(key: SigningKey) -> Self {
        Self { key, issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned() }
    }

    /// The same key under names that a policy of somebody's own asks for.
    pub fn named(mut self, issuer: &str, audience: &str) -> Self {
        issuer.clone_into(&mut self.issuer);
        audience.clone_into(&mut self.audience);
        self
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The signing key itself, for forging.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// What verifies these sessions: `{"keys": [..]}`.
    pub fn jwks(&self) -> Value {
        self.key.public_jwks()
    }

    /// The claims of an ordinary session with `changes` laid over them; a change to null takes the
    /// claim out. `jti` is new each time, `exp` an hour from now.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn claims(&self, changes: &Value) -> Result<Value> {
        let now = now();
        let mut claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": SUBJECT,
            "jti": random::hex(8)?,
            "iat": now,
            "exp": now + LIFE,
        });
        let changes = changes.as_object().into_iter().flatten();
        if let Some(claims) = claims.as_object_mut() {
            for (name, value) in changes {
                match value {
                    Value::Null => claims.remove(name),
                    value => claims.insert(name.clone(), value.clone()),
                };
            }
        }
        Ok(claims)
    }

    /// A signed session: [`Sessions::claims`] of `changes`.
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn mint(&self, changes: &Value) -> Result<String> {
        self.key.sign(&self.claims(changes)?).context("signing a session")
    }
}

/// The clock of this machine.
pub fn now() -> UnixSeconds {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use session::{KeySet, Rules, Verifier};

    use super::*;

    #[test]
    fn a_minted_session_is_believed_and_carries_the_changes() {
        let sessions = Sessions::generate().unwrap();
        let token = sessions.mint(&json!({"team": "demo"})).unwrap();
        let keys = KeySet::from_jwks(&sessions.jwks()).unwrap();
        let verifier = Verifier::new(Rules::new(ISSUER, AUDIENCE), keys);
        let session = verifier.verify(token.as_bytes(), now()).unwrap();
        assert_eq!(session.claim("team"), Some(&json!("demo")));
        assert_eq!(session.subject(), Some(SUBJECT));
    }

    #[test]
    fn null_takes_a_claim_out() {
        let claims = Sessions::generate().unwrap().claims(&json!({"jti": null})).unwrap();
        assert_eq!(claims.get("jti"), None);
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.key");
        let first = Sessions::load_or_generate(&path).unwrap();
        let second = Sessions::load_or_generate(&path).unwrap();
        assert_eq!(first.jwks(), second.jwks());
    }
}
