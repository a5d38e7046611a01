//! Private keys of the three algorithms behind one type.

use p256::ecdsa::signature::Signer;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::rand_core::OsRng;
use rsa::sha2::{Digest, Sha256};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};

use super::key_error::KeyError;
use super::thumbprint::thumbprint;
use crate::algorithm::Algorithm;
use crate::base64url;
use crate::public_key::PublicKey;

/// RSA keys we make, in bits.
const RSA_BITS: usize = 2048;

/// A private key with the `kid` it signs under. No `Debug`, so that it can not reach a log.
pub struct SigningKey {
    kid: String,
    secret: Secret,
}

enum Secret {
    EdDsa(ed25519_compact::KeyPair),
    Es256(p256::ecdsa::SigningKey),
    Rs256(Box<RsaPrivateKey>),
}

// === impl SigningKey ===

impl SigningKey {
    /// A new key (RSA: 2048 bits). Without a `kid` it gets its RFC 7638 thumbprint.
    ///
    /// # Errors
    /// [`KeyError::Generate`].
    pub fn generate(algorithm: Algorithm, kid: Option<&str>) -> Result<SigningKey, KeyError> {
        let secret = match algorithm {
            Algorithm::EdDsa => Secret::EdDsa(ed25519_compact::KeyPair::generate()),
            Algorithm::Es256 => {
                let mut scalar = zeroize::Zeroizing::new([0u8; 32]);
                loop {
                    // A scalar of 0 or over the order is possible in one of 2^32 draws: again.
                    rsa::rand_core::RngCore::try_fill_bytes(&mut OsRng, scalar.as_mut())
                        .map_err(|_| KeyError::Generate)?;
                    if let Ok(key) = p256::ecdsa::SigningKey::from_slice(scalar.as_ref()) {
                        break Secret::Es256(key);
                    }
                }
            }
            Algorithm::Rs256 => {
                let key = RsaPrivateKey::new(&mut OsRng, RSA_BITS);
                Secret::Rs256(Box::new(key.map_err(|_| KeyError::Generate)?))
            }
        };
        SigningKey::named(secret, kid)
    }

    /// From an unencrypted PKCS#8 PEM (`-----BEGIN PRIVATE KEY-----`); the kind of key shows in it.
    ///
    /// # Errors
    /// [`KeyError::Pem`] or [`KeyError::WeakRsa`].
    pub fn from_pem(pem: &str, kid: Option<&str>) -> Result<SigningKey, KeyError> {
        let secret = if let Ok(key) = ed25519_compact::KeyPair::from_pem(pem) {
            Secret::EdDsa(key)
        } else if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_pem(pem) {
            Secret::Es256(key)
        } else {
            let key = RsaPrivateKey::from_pkcs8_pem(pem).map_err(|_| KeyError::Pem)?;
            Secret::Rs256(Box::new(key))
        };
        SigningKey::named(secret, kid)
    }

    /// As unencrypted PKCS#8 PEM, wiped when dropped. Write it to files of mode 0600 only.
    ///
    /// # Errors
    /// [`KeyError::Pem`].
    pub fn to_pem(&self) -> Result<zeroize::Zeroizing<String>, KeyError> {
        match &self.secret {
            Secret::EdDsa(key) => Ok(zeroize::Zeroizing::new(key.to_pem())),
            Secret::Es256(key) => p256::SecretKey::from(key.as_nonzero_scalar())
                .to_pkcs8_pem(p256::pkcs8::LineEnding::LF)
                .map_err(|_| KeyError::Pem),
            Secret::Rs256(key) => {
                key.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF).map_err(|_| KeyError::Pem)
            }
        }
    }

    /// The algorithm this key signs by.
    pub fn algorithm(&self) -> Algorithm {
        match &self.secret {
            Secret::EdDsa(_) => Algorithm::EdDsa,
            Secret::Es256(_) => Algorithm::Es256,
            Secret::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// The name of the key in headers and key sets.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JWK with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.secret.public_members();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.kid));
            members.insert("alg".to_owned(), json!(self.algorithm().name()));
            members.insert("use".to_owned(), json!("sig"));
        }
        jwk
    }

    /// A key set of this key alone, as [`KeySet::from_jwks`](crate::KeySet::from_jwks) takes it.
    pub fn public_jwks(&self) -> Value {
        json!({ "keys": [self.public_jwk()] })
    }

    /// A token with the header `{"alg", "kid", "typ": "JWT"}` over these claims, whatever they are.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        let header = json!({ "alg": self.algorithm().name(), "kid": self.kid, "typ": "JWT" });
        self.sign_with_header(&header, claims)
    }

    /// A token with any header; for forging in tests. The signature is this key's all the same.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign_with_header(&self, header: &Value, claims: &Value) -> Result<String, KeyError> {
        self.sign_raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A token over bytes that need not be JSON; for forging in tests.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign_raw(&self, header: &[u8], payload: &[u8]) -> Result<String, KeyError> {
        let signing_input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        let signature = self.secret.sign(signing_input.as_bytes())?;
        Ok(format!("{signing_input}.{}", base64url::encode(signature)))
    }

    fn named(secret: Secret, kid: Option<&str>) -> Result<SigningKey, KeyError> {
        let jwk = secret.public_members();
        if let Secret::Rs256(key) = &secret {
            PublicKey::rsa(&key.n().to_bytes_be(), &key.e().to_bytes_be())
                .map_err(|_| KeyError::WeakRsa)?;
        }
        let kid = match kid {
            Some(kid) => kid.to_owned(),
            None => thumbprint(&jwk).ok_or(KeyError::Generate)?,
        };
        Ok(SigningKey { kid, secret })
    }
}

// === impl Secret ===

impl Secret {
    /// The members of the JWK that make the key, and no other.
    fn public_members(&self) -> Value {
        match self {
            Secret::EdDsa(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url::encode(&key.pk[..]) })
            }
            Secret::Es256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let coordinate = |part: Option<&p256::FieldBytes>| {
                    part.map(base64url::encode).unwrap_or_default()
                };
                let (x, y) = (coordinate(point.x()), coordinate(point.y()));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
            }
            Secret::Rs256(key) => {
                let n = base64url::encode(key.n().to_bytes_be());
                let e = base64url::encode(key.e().to_bytes_be());
                json!({ "kty": "RSA", "n": n, "e": e })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self {
            Secret::EdDsa(key) => Ok(key.sk.sign(message, None).to_vec()),
            Secret::Es256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|_| KeyError::Sign)?;
                Ok(signature.to_bytes().to_vec())
            }
            Secret::Rs256(key) => key
                .sign_with_rng(&mut OsRng, Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message))
                .map_err(|_| KeyError::Sign),
        }
    }
}
