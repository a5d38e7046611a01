//! Session JWTs minted for cases, from a key that is published here and guards nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
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
    /// `known` (the one in `${jwks}`), `next` (of a kid of its own) or `stranger` (of the known one's).
    pub key: Signer,
    /// What becomes of the signature.
    pub signature: Signature,
    /// A raw token instead of all that; `none` is no session.
    pub token: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    #[default]
    Known,
    Next,
    Stranger,
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

/// An Ed25519 key from a fixed seed.
pub struct TestKey {
    pair: Ed25519KeyPair,
    kid: &'static str,
}

/// The `iss` of every session that does not say otherwise.
const ISSUER: &str = "https://control-plane.test";
const AUDIENCE: &str = "leasehold-edge";
const KID: &str = "test-1";
const NEXT_KID: &str = "test-2";
const LIFE: u64 = 3600;

// === impl TestKey ===

impl TestKey {
    pub fn known() -> Self {
        Self::of(Signer::Known)
    }

    pub(super) fn of(signer: Signer) -> Self {
        match signer {
            Signer::Known => Self::from_seed([1; 32], KID),
            Signer::Stranger => Self::from_seed([2; 32], KID),
            Signer::Next => Self::from_seed([3; 32], NEXT_KID),
        }
    }

    #[allow(clippy::expect_used, reason = "every 32 bytes are an Ed25519 seed")]
    fn from_seed(seed: [u8; 32], kid: &'static str) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes"), kid }
    }

    pub(super) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x})
    }

    /// `{"keys": [...]}`.
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.jwk()]})
    }

    /// A JWT in compact form.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

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
        let key = TestKey::of(self.key);
        let header = json!({"alg": "EdDSA", "kid": key.kid, "typ": "JWT"});
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
