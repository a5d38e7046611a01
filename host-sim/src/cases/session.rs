//! Session JWTs minted for cases.

use super::keys::{Algorithm, Signer, TestKey};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How a case's session differs from an ordinary one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionSpec {
    /// Laid over the ordinary claims; null takes one out.
    pub claims: Map<String, Value>,
    /// Laid over the JOSE header; null takes a field out.
    pub header: Map<String, Value>,
    /// `EdDSA` if it is not said, `ES256` or `RS256`.
    pub algorithm: Algorithm,
    /// `known` (the one in `${jwks}`), `next` (of a kid of its own) or `stranger` (of the known one's).
    pub key: Signer,
    /// What becomes of the signature.
    pub signature: Signature,
    /// A raw token instead of all that; `none` is no session.
    pub token: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    #[default]
    Right,
    /// One bit differs.
    Flipped,
    /// Nothing behind the last dot.
    Empty,
}

/// The `iss` of every session that does not say otherwise.
const ISSUER: &str = "https://control-plane.test";
const AUDIENCE: &str = "leasehold-edge";
const LIFE: u64 = 3600;

// === impl SessionSpec ===

impl SessionSpec {
    pub fn is_none(&self) -> bool {
        self.token.as_deref() == Some("none")
    }

    /// What `claims` and `header` change is taken as it is; placeholders are the caller's to fill in.
    pub fn mint(&self, now: u64, jti: &str) -> String {
        if let Some(token) = &self.token {
            return if self.is_none() { String::new() } else { token.clone() };
        }
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "guest-1", "jti": jti,
            "iat": now, "exp": now + LIFE,
        });
        let key = TestKey::of(self.algorithm, self.key);
        let header = json!({"alg": self.algorithm.name(), "kid": key.kid(), "typ": "JWT"});
        let token = key.sign(&laid_over(header, &self.header), &laid_over(claims, &self.claims));
        match (self.signature, token.rsplit_once('.')) {
            (Signature::Flipped, Some((signed, signature))) => {
                let (first, rest) = signature.split_at(1);
                format!("{signed}.{}{rest}", if first == "A" { "B" } else { "A" })
            }
            (Signature::Empty, Some((signed, _))) => format!("{signed}."),
            _ => token,
        }
    }
}

fn laid_over(mut base: Value, changes: &Map<String, Value>) -> Value {
    if let Some(fields) = base.as_object_mut() {
        for (name, value) in changes {
            match value {
                Value::Null => fields.remove(name),
                value => fields.insert(name.clone(), value.clone()),
            };
        }
    }
    base
}
