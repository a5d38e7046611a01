//! A verifier, a key for each algorithm, and claims that are right until a test spoils them.
// Each test file uses a part of this.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, KeySet, Refusal, Rules, Session, Verifier};

pub const ISSUER: &str = "https://control-plane.example";
pub const AUDIENCE: &str = "leasehold-edge";
pub const IAT: u64 = 1_700_000_000;
pub const EXP: u64 = IAT + 900;
pub const NOW: u64 = IAT + 100;
pub const LEEWAY: u64 = 30;

pub fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm, Some("k1")).unwrap()
}

pub fn verifier(keys: &[&SigningKey]) -> Verifier {
    let jwks: Vec<Value> = keys.iter().map(|key| key.public_jwk()).collect();
    let keys = KeySet::from_jwks(&json!({ "keys": jwks })).unwrap();
    Verifier::new(Rules::new(ISSUER, AUDIENCE), keys)
}

pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ci-job-7", "jti": "t-1",
        "iat": IAT, "exp": EXP, "team": "build", "roles": ["ops", 7],
    })
}

/// The right claims with some replaced; `null` is a value like another.
pub fn claims_with(changes: &[(&str, Value)]) -> Value {
    let mut claims = claims();
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims
}

pub fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name).unwrap();
    claims
}

/// A key and the verifier that believes it.
pub struct Pair {
    pub key: SigningKey,
    pub verifier: Verifier,
}

impl Pair {
    pub fn new(algorithm: Algorithm) -> Pair {
        let key = key(algorithm);
        let verifier = verifier(&[&key]);
        Pair { key, verifier }
    }

    pub fn check(&self, token: &str) -> Result<Session, Refusal> {
        self.verifier.verify(token.as_bytes(), NOW)
    }

    pub fn claims(&self, claims: &Value) -> Result<Session, Refusal> {
        self.check(&self.key.sign(claims).unwrap())
    }

    pub fn header(&self, header: &Value) -> Result<Session, Refusal> {
        self.check(&self.key.sign_with_header(header, &claims()).unwrap())
    }

    pub fn header_text(&self, header: &str) -> Result<Session, Refusal> {
        let claims = claims().to_string();
        self.check(&self.key.sign_raw(header.as_bytes(), claims.as_bytes()).unwrap())
    }

    pub fn payload_text(&self, payload: &str) -> Result<Session, Refusal> {
        let header = json!({ "alg": self.key.algorithm().name(), "kid": "k1" }).to_string();
        self.check(&self.key.sign_raw(header.as_bytes(), payload.as_bytes()).unwrap())
    }
}

/// The refusal, or a panic that says what was accepted against expectation.
pub fn refused(result: Result<Session, Refusal>, what: &str) -> Refusal {
    match result {
        Ok(_) => panic!("accepted: {what}"),
        Err(refusal) => refusal,
    }
}
