//! Key sets (RFC 7517 section 5): which public key a `kid` stands for, its algorithm pinned.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::jwks_error::JwksError;
use crate::public_key::PublicKey;
use crate::refusal::Refusal;
use crate::signatures::Signatures;
use crate::unverified::UnverifiedHeader;

/// Members only a private or a symmetric key has (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Public keys by `kid` and algorithm; never empty.
#[derive(Debug, Clone)]
pub struct KeySet {
    keys: BTreeMap<String, BTreeMap<Algorithm, PublicKey>>,
}

/// What one member of a set says: its key is usable if there is no error.
pub(crate) struct ReadJwk {
    pub(crate) kid: Option<String>,
    pub(crate) key: Option<PublicKey>,
    /// A member that only a private key has: whoever reads the set can sign with this key.
    pub(crate) is_disclosed: bool,
    pub(crate) errors: Vec<JwksError>,
}

/// One member object of `keys`, with its place for error paths.
struct Jwk<'v> {
    index: usize,
    members: &'v Map<String, Value>,
    errors: Vec<JwksError>,
}

// === impl KeySet ===

impl KeySet {
    /// From `{"keys": [...]}`. Every key must be one we can use: a signing key set is short, and a
    /// key that is quietly left out shows only when its tokens are refused.
    ///
    /// # Errors
    /// Everything that is wrong, each with its path; never with key material.
    pub fn from_jwks(jwks: &Value) -> Result<KeySet, Vec<JwksError>> {
        let Some(entries) = jwks.get("keys").and_then(Value::as_array) else {
            let reason = "a key set is an object with an array `keys`: {\"keys\": [...]}";
            return Err(vec![JwksError::new("keys", reason)]);
        };
        if entries.is_empty() {
            return Err(vec![JwksError::new("keys", "holds no key; no token could be verified")]);
        }
        let mut set = KeySet { keys: BTreeMap::new() };
        let mut errors = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let Some(members) = entry.as_object() else {
                errors.push(JwksError::new(format!("keys[{index}]"), "must be an object"));
                continue;
            };
            match ReadJwk::of(index, members).usable() {
                Err(found) => errors.extend(found),
                Ok((kid, key)) => {
                    if set.insert(kid, key).is_some() {
                        let reason = "an earlier key of this algorithm has this kid; \
                                      every key needs its own";
                        errors.push(JwksError::new(format!("keys[{index}].kid"), reason));
                    }
                }
            }
        }
        if errors.is_empty() { Ok(set) } else { Err(errors) }
    }

    /// `None` if there is no key.
    pub(crate) fn of_keys(keys: impl IntoIterator<Item = (String, PublicKey)>) -> Option<KeySet> {
        let mut set = KeySet { keys: BTreeMap::new() };
        for (kid, key) in keys {
            set.insert(kid, key);
        }
        (!set.keys.is_empty()).then_some(set)
    }

    /// Every `kid` with its pinned algorithm, in order of the `kid`.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Algorithm)> {
        self.keys
            .iter()
            .flat_map(|(kid, keys)| keys.keys().map(|algorithm| (kid.as_str(), *algorithm)))
    }

    /// Whether `signature` is that of the key `kid` over `message`, and nothing about what the message says: for
    /// test vectors. Sessions come from a [`Verifier`](crate::Verifier) alone.
    pub fn signature_fits(
        &self,
        kid: &str,
        message: &[u8],
        signature: &[u8],
        signatures: &dyn Signatures,
    ) -> bool {
        let keys = self.keys.get(kid);
        keys.is_some_and(|keys| keys.values().any(|key| key.fits(message, signature, signatures)))
    }

    /// The key that a header names. Each key is pinned to one algorithm; where keys share a `kid`, the
    /// header's algorithm says which one is meant.
    pub(crate) fn find(&self, header: &UnverifiedHeader) -> Result<&PublicKey, Refusal> {
        let algorithm = Algorithm::from_name(&header.algorithm).ok_or(Refusal::Algorithm)?;
        let kid = header.key_id.as_deref().ok_or(Refusal::UnknownKey)?;
        let keys = self.keys.get(kid).ok_or(Refusal::UnknownKey)?;
        keys.get(&algorithm).ok_or(Refusal::Algorithm)
    }

    /// The key that had this place.
    fn insert(&mut self, kid: String, key: PublicKey) -> Option<PublicKey> {
        self.keys.entry(kid).or_default().insert(key.algorithm(), key)
    }
}

// === impl ReadJwk ===

impl ReadJwk {
    pub(crate) fn of(index: usize, members: &Map<String, Value>) -> ReadJwk {
        Jwk { index, members, errors: Vec::new() }.read()
    }

    pub(crate) fn usable(self) -> Result<(String, PublicKey), Vec<JwksError>> {
        match (self.kid, self.key) {
            (Some(kid), Some(key)) if self.errors.is_empty() => Ok((kid, key)),
            _ => Err(self.errors),
        }
    }
}

// === impl Jwk ===

impl Jwk<'_> {
    fn read(mut self) -> ReadJwk {
        let kid = self.kid();
        let is_disclosed = self.refuse_secrets();
        self.check_use();
        self.check_key_ops();
        let key = self.key();
        if let Some(key) = &key {
            self.check_algorithm(key.algorithm());
        }
        ReadJwk { kid, key, is_disclosed, errors: self.errors }
    }

    fn error(&mut self, member: &str, reason: &str) {
        self.errors.push(JwksError::new(format!("keys[{}].{member}", self.index), reason));
    }

    fn kid(&mut self) -> Option<String> {
        match self.members.get("kid") {
            Some(Value::String(kid)) if !kid.is_empty() => Some(kid.clone()),
            _ => {
                self.error("kid", "must be a non-empty string; tokens name their key by it");
                None
            }
        }
    }

    /// Whether there is one.
    fn refuse_secrets(&mut self) -> bool {
        let mut is_disclosed = false;
        for member in SECRET_MEMBERS {
            if self.members.contains_key(member) {
                is_disclosed = true;
                let reason = "belongs to a private or symmetric key; give the public key only, \
                              and replace this one: it has been disclosed";
                self.error(member, reason);
            }
        }
        is_disclosed
    }

    fn check_use(&mut self) {
        match self.members.get("use") {
            None => {}
            Some(Value::String(sig)) if sig == "sig" => {}
            Some(_) => self.error("use", "must be \"sig\" or left out"),
        }
    }

    fn check_key_ops(&mut self) {
        let verifies = |operations: &Vec<Value>| operations.iter().any(|one| one == "verify");
        match self.members.get("key_ops") {
            None => {}
            Some(Value::Array(operations)) if verifies(operations) => {}
            Some(_) => self.error("key_ops", "must be an array with \"verify\", or left out"),
        }
    }

    fn check_algorithm(&mut self, pinned: Algorithm) {
        match self.members.get("alg") {
            None => {}
            Some(Value::String(name)) if Algorithm::from_name(name) == Some(pinned) => {}
            Some(_) => {
                self.error("alg", &format!("must be \"{pinned}\" for this kty, or left out"));
            }
        }
    }

    fn key(&mut self) -> Option<PublicKey> {
        match self.members.get("kty").and_then(Value::as_str) {
            Some("OKP") => {
                self.check_curve("Ed25519")?;
                let x = self.bytes("x")?;
                self.made("x", PublicKey::ed25519(&x))
            }
            Some("EC") => {
                self.check_curve("P-256")?;
                let (x, y) = (self.bytes("x"), self.bytes("y"));
                self.made("x", PublicKey::p256(&x?, &y?))
            }
            Some("RSA") => {
                let (n, e) = (self.bytes("n"), self.bytes("e"));
                self.made("n", PublicKey::rsa(&n?, &e?))
            }
            Some("oct") => {
                self.error("kty", "oct is a symmetric key, and HMAC tokens are never accepted");
                None
            }
            _ => {
                self.error("kty", "must be \"OKP\" (Ed25519), \"EC\" (P-256) or \"RSA\"");
                None
            }
        }
    }

    fn check_curve(&mut self, wanted: &str) -> Option<()> {
        if self.members.get("crv").and_then(Value::as_str) == Some(wanted) {
            return Some(());
        }
        self.error("crv", &format!("must be \"{wanted}\" for this kty"));
        None
    }

    fn bytes(&mut self, member: &str) -> Option<Vec<u8>> {
        let text = self.members.get(member).and_then(Value::as_str);
        let bytes = text.and_then(base64url::decode_lenient);
        if bytes.is_none() {
            self.error(member, "must be base64url");
        }
        bytes
    }

    fn made(&mut self, member: &str, key: Result<PublicKey, &'static str>) -> Option<PublicKey> {
        key.map_err(|reason| self.error(member, reason)).ok()
    }
}
