//! Wycheproof's vectors for the three algorithms, each with a JWK of its key. The tests on real hosts read them
//! from here too.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify};

pub struct Vector {
    /// Set and number, such as `ed25519 63`.
    pub name: String,
    /// The public key, with [`KID`].
    pub jwk: Value,
    pub message: Vec<u8>,
    pub signature: Vec<u8>,
    pub verdict: TestResult,
}

pub const KID: &str = "k";

/// Every vector: Ed25519, ECDSA over P-256 as JWS writes it, RSA PKCS #1 v1.5 of each length with SHA-256.
pub fn all() -> Vec<Vector> {
    let rsa = [
        rsa_pkcs1_verify::TestName::Rsa2048Sha256,
        rsa_pkcs1_verify::TestName::Rsa3072Sha256,
        rsa_pkcs1_verify::TestName::Rsa4096Sha256,
        rsa_pkcs1_verify::TestName::Rsa8192Sha256,
    ];
    [ed25519(), p256()].into_iter().chain(rsa.map(pkcs1)).flatten().collect()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A positive number without the zero bytes in front.
fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    encode(&bytes[zeros..])
}

fn ed25519() -> Vec<Vector> {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let vectors = set.test_groups.into_iter().flat_map(|group| {
        let x = encode(group.key.pk.as_slice());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": KID, "x": x});
        group.tests.into_iter().map(move |test| Vector {
            name: format!("ed25519 {}", test.tc_id),
            jwk: jwk.clone(),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
            verdict: test.result,
        })
    });
    vectors.collect()
}

fn p256() -> Vec<Vector> {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let vectors = set.test_groups.into_iter().flat_map(|group| {
        // An uncompressed point (SEC 1 section 2.3.3).
        let (x, y) = group.key.key.as_slice()[1..].split_at(32);
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": KID, "x": encode(x), "y": encode(y)});
        group.tests.into_iter().map(move |test| Vector {
            name: format!("p256 {}", test.tc_id),
            jwk: jwk.clone(),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
            verdict: test.result,
        })
    });
    vectors.collect()
}

fn pkcs1(name: rsa_pkcs1_verify::TestName) -> Vec<Vector> {
    let set = rsa_pkcs1_verify::TestSet::load(name).unwrap();
    let vectors = set.test_groups.into_iter().flat_map(|group| {
        let (n, e) = (number(group.key.n.as_slice()), number(group.key.e.as_slice()));
        let jwk = json!({"kty": "RSA", "kid": KID, "n": n, "e": e});
        let bits = group.key_size;
        group.tests.into_iter().map(move |test| Vector {
            name: format!("rsa-{bits} {}", test.tc_id),
            jwk: jwk.clone(),
            message: test.msg.to_vec(),
            signature: test.sig.to_vec(),
            verdict: test.result,
        })
    });
    vectors.collect()
}
