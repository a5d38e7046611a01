use crate::guest::{Guest, OUT, call, get, given, given_bytes, statuses};
use host_sim::{Host, Status::*};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::Value;

/// SubjectPublicKeyInfo of a P-256 point, up to the point.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    // A varint of two bytes, which may be longer than it has to be.
    let size =
        [bytes.len() & 0x7f | 0x80, bytes.len() >> 7].map(|part| u8::try_from(part).unwrap());
    [&[number << 3 | 2], size.as_slice(), bytes].concat()
}

fn calling(function: &str, argument: &[u8]) -> Host {
    let mut guest = Guest::new();
    let (name, argument) = (guest.text(function), guest.bytes(argument));
    let one = call("proxy_call_foreign_function", &format!("{name} {argument} {OUT}"));
    let mut host = guest.on("proxy_on_request_headers", &(one.clone() + &one)).start();
    host.exchange(get());
    host
}

#[test]
fn signatures_are_verified() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let public = [&P256_PREFIX, key.public_key().as_ref()].concat();
    let signature = key.sign(&random, b"text").unwrap();
    let argument = |text: &[u8]| {
        [field(1, b"sha256"), field(2, &public), field(3, signature.as_ref()), field(4, text)]
            .concat()
    };
    let good = calling("verify_signature", &argument(b"text"));
    assert_eq!(given(&good, "proxy_call_foreign_function")[0].as_bytes(), [8, 1]);
    let bad = calling("verify_signature", &argument(b"other"));
    assert_eq!(statuses(&bad, "proxy_call_foreign_function"), [Ok, Ok]);
    assert!(given(&bad, "proxy_call_foreign_function")[0].contains("Failed to verify"));
    let broken = calling("verify_signature", &[0xff]);
    assert_eq!(statuses(&broken, "proxy_call_foreign_function"), [BadArgument; 2]);
}

#[test]
fn the_other_functions_answer_as_envoys() {
    let unknown = calling("no_such_thing", b"");
    assert_eq!(statuses(&unknown, "proxy_call_foreign_function"), [NotFound; 2]);
    let told = unknown.transcript().to_string();
    assert!(told.contains("== no foreign function \"no_such_thing\""), "{told}");
    let cleared = calling("clear_route_cache", b"");
    assert_eq!(statuses(&cleared, "proxy_call_foreign_function"), [Ok; 2]);
    let state = [field(1, b"envoy.upstream.dynamic_host"), field(2, b"10.0.0.1")].concat();
    let set = calling("set_envoy_filter_state", &state);
    assert_eq!(statuses(&set, "proxy_call_foreign_function"), [Ok; 2]);
    let unknown = calling("set_envoy_filter_state", &field(1, b"my.own"));
    assert_eq!(statuses(&unknown, "proxy_call_foreign_function"), [NotFound; 2]);
    let declared = calling("declare_property", &field(1, b"p"));
    assert_eq!(statuses(&declared, "proxy_call_foreign_function"), [Ok, BadArgument]);
}

/// A key of `tests/vectors/signatures.json`, which OpenSSL made: another implementation than the one
/// under test.
struct Vector {
    name: String,
    public: Vec<u8>,
    private: Vec<u8>,
    /// By the name of the hash.
    signatures: Vec<(String, Vec<u8>)>,
}

fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("../vectors/signatures.json")).unwrap();
    let bytes = |value: &Value| {
        let hex = value.as_str().unwrap().as_bytes();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        hex.chunks(2).map(byte).collect::<Vec<_>>()
    };
    let vector = |key: &Value| Vector {
        name: key["name"].as_str().unwrap().to_owned(),
        public: bytes(&key["public"]),
        private: bytes(&key["private"]),
        signatures: key["signatures"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(hash, signature)| (hash.clone(), bytes(signature)))
            .collect(),
    };
    file["keys"].as_array().unwrap().iter().map(vector).collect()
}

/// Whether it verifies, or what it says instead.
fn verified(hash: &str, public: &[u8], signature: &[u8], text: &[u8]) -> Result<(), String> {
    let fields = [(1, hash.as_bytes()), (2, public), (3, signature), (4, text)];
    let argument = fields.map(|(number, bytes)| field(number, bytes)).concat();
    let host = calling("verify_signature", &argument);
    match given(&host, "proxy_call_foreign_function").remove(0).as_str() {
        "\u{8}\u{1}" => Result::Ok(()),
        error => Err(error.to_owned()),
    }
}

#[test]
fn every_kind_of_key_verifies_with_every_hash_and_nothing_that_was_tampered_with() {
    let mut verifications = 0;
    for Vector { name, public, signatures, .. } in vectors() {
        for (hash, signature) in &signatures {
            let case = format!("{name}, {hash}");
            assert_eq!(verified(hash, &public, signature, b"text"), Result::Ok(()), "{case}");
            verifications += 1;
            let refused = |what: &str, hash: &str, signature: &[u8], text: &[u8]| {
                let error = verified(hash, &public, signature, text).expect_err(what);
                assert!(error.contains("Failed to verify digest"), "{case}, {what}: {error}");
            };
            let mut bent = signature.clone();
            *bent.last_mut().unwrap() ^= 1;
            refused("a bit of the signature", hash, &bent, b"text");
            refused("a cut signature", hash, &signature[..signature.len() - 1], b"text");
            refused("a longer signature", hash, &[signature.as_slice(), b"\0"].concat(), b"text");
            refused("another text", hash, signature, b"texts");
            let other = if hash == "sha256" { "sha384" } else { "sha256" };
            refused("another hash", other, signature, b"text");
        }
    }
    assert_eq!(verifications, 4 * 5);
}

#[test]
fn a_signature_of_one_key_is_not_another_s() {
    let keys = vectors();
    for (one, other) in keys.iter().zip(keys.iter().cycle().skip(1)) {
        let (hash, signature) = &one.signatures[0];
        let error = verified(hash, &other.public, signature, b"text").unwrap_err();
        assert!(error.contains("Failed to verify digest."), "{}: {error}", one.name);
    }
}

#[test]
fn what_is_signed_verifies() {
    for Vector { name, public, private, signatures } in vectors() {
        for (hash, _) in signatures {
            let fields = [(1, hash.as_bytes()), (2, private.as_slice()), (3, b"text")];
            let argument = fields.map(|(number, bytes)| field(number, bytes)).concat();
            let host = calling("sign", &argument);
            let result = given_bytes(&host, "proxy_call_foreign_function").remove(0);
            // `result = 1`, then the signature in field 2.
            let signature = signature_in(&result).unwrap_or_else(|| panic!("{name}, {hash}"));
            assert_eq!(
                verified(&hash, &public, signature, b"text"),
                Result::Ok(()),
                "{name}, {hash}"
            );
        }
    }
}

/// Field 2 of a `SignResult` that begins with `result = true`.
fn signature_in(result: &[u8]) -> Option<&[u8]> {
    let rest = result.strip_prefix(&[8, 1, 0x12])?;
    let (low, rest) = rest.split_first()?;
    match low & 0x80 {
        0 => Some(rest),
        _ => rest.get(1..),
    }
}
