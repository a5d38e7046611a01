//! The keys that cases sign with. They are published here and guard nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::sha2::{Digest, Sha256};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a session is signed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    #[default]
    #[serde(rename = "EdDSA")]
    EdDsa,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "RS256")]
    Rs256,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    #[default]
    Known,
    /// Known later, if at all: of a kid of its own.
    Next,
    /// Unknown, and under the name of a known one.
    Stranger,
}

/// A key, the same each time.
pub struct TestKey {
    pair: Pair,
    kid: String,
}

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(Box<p256::ecdsa::SigningKey>),
    Rs256(Box<RsaPrivateKey>),
}

const RSA_KNOWN: &str = include_str!("keys/rs256-known.pem");
const RSA_STRANGER: &str = include_str!("keys/rs256-stranger.pem");

/// The known key of each algorithm: `{"keys": [...]}`.
pub fn jwks() -> Value {
    let keys = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    json!({"keys": keys.map(|algorithm| TestKey::of(algorithm, Signer::Known).jwk())})
}

// === impl Algorithm ===

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// In the names of its keys.
    fn mark(self) -> &'static str {
        match self {
            Self::EdDsa => "",
            Self::Es256 => "-es256",
            Self::Rs256 => "-rs256",
        }
    }
}

// === impl TestKey ===

impl TestKey {
    pub fn of(algorithm: Algorithm, signer: Signer) -> Self {
        let number = if signer == Signer::Next { 2 } else { 1 };
        let kid = format!("test-{number}{}", algorithm.mark());
        Self { pair: Pair::of(algorithm, signer), kid }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half (RFC 7517).
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::EdDsa(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
            Pair::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes().get(1..).unwrap_or_default().split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            Pair::Rs256(key) => {
                let (n, e) = (key.n().to_bytes_be(), key.e().to_bytes_be());
                json!({"kty": "RSA", "n": text(&n), "e": text(&e)})
            }
        };
        jwk["alg"] = json!(self.pair.algorithm().name());
        jwk["use"] = json!("sig");
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// A JWT in compact form.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

// === impl Pair ===

impl Pair {
    #[allow(clippy::expect_used, reason = "seeds, a scalar and texts that are part of the program")]
    fn of(algorithm: Algorithm, signer: Signer) -> Self {
        let (seed, pem) = match signer {
            Signer::Known => ([1; 32], RSA_KNOWN),
            Signer::Stranger => ([2; 32], RSA_STRANGER),
            Signer::Next => ([3; 32], RSA_STRANGER),
        };
        match algorithm {
            Algorithm::EdDsa => {
                Self::EdDsa(Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes"))
            }
            Algorithm::Es256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&seed).expect("below the order");
                Self::Es256(Box::new(key))
            }
            Algorithm::Rs256 => {
                Self::Rs256(Box::new(RsaPrivateKey::from_pkcs8_pem(pem).expect("PKCS #8")))
            }
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// In the encoding of a JWS (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1).
    #[allow(clippy::expect_used, reason = "a digest of the padding's own hash")]
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Self::Rs256(key) => {
                let padding = Pkcs1v15Sign::new::<Sha256>();
                key.sign(padding, &Sha256::digest(message)).expect("SHA-256")
            }
        }
    }
}
