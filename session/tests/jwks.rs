//! Key sets: what is wrong is named with its path, all of it at once.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::LazyLock;

use serde_json::{Value, json};
use session::{Algorithm, KeySet};
use support::*;

/// One good JWK for each algorithm; making RSA keys takes its time.
static GOOD: LazyLock<[Value; 3]> =
    LazyLock::new(|| Algorithm::ALL.map(|algorithm| key(algorithm).public_jwk()));

/// A good JWK with one member replaced, or removed by `null`.
fn spoiled(algorithm: Algorithm, member: &str, value: Value) -> Value {
    let mut jwk = GOOD[algorithm as usize].clone();
    match value {
        Value::Null => drop(jwk.as_object_mut().unwrap().remove(member)),
        value => jwk[member] = value,
    }
    jwk
}

fn paths(jwks: &Value) -> Vec<String> {
    KeySet::from_jwks(jwks).unwrap_err().iter().map(|error| error.path().to_owned()).collect()
}

#[test]
fn a_key_set_is_an_object_with_keys() {
    for jwks in [json!(null), json!([]), json!({}), json!({"keys": {}}), json!({"keys": []})] {
        assert_eq!(paths(&jwks), ["keys"], "{jwks}");
    }
    assert_eq!(paths(&json!({"keys": [1, "x"]})), ["keys[0]", "keys[1]"]);
}

#[test]
fn members_that_pass_and_that_do_not() {
    for algorithm in Algorithm::ALL {
        let accepted = [
            ("alg", json!(null)),
            ("use", json!(null)),
            ("x5c", json!(["MIIB"])),
            ("key_ops", json!(["sign", "verify"])),
            ("x5t", json!("abc")),
            ("kid", json!("another")),
        ];
        for (member, value) in accepted {
            let jwk = spoiled(algorithm, member, value);
            assert!(KeySet::from_jwks(&json!({ "keys": [jwk] })).is_ok(), "{jwk}");
        }
        let wrong_alg = Algorithm::ALL.into_iter().find(|other| *other != algorithm).unwrap();
        let refused = [
            ("kid", json!(null)),
            ("kid", json!("")),
            ("kid", json!(1)),
            ("kty", json!(null)),
            ("kty", json!("oct")),
            ("kty", json!("okp")),
            ("alg", json!("HS256")),
            ("alg", json!("none")),
            ("alg", json!(wrong_alg.name())),
            ("alg", json!(1)),
            ("use", json!("enc")),
            ("use", json!(["sig"])),
            ("key_ops", json!([])),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!("verify")),
            ("d", json!("AAAA")),
            ("k", json!("AAAA")),
            ("p", json!("AAAA")),
        ];
        for (member, value) in refused {
            let jwks = json!({ "keys": [spoiled(algorithm, member, value)] });
            assert_eq!(paths(&jwks), [format!("keys[0].{member}")], "{jwks}");
        }
    }
}

#[test]
fn key_material_of_a_wrong_kind_is_refused() {
    let cases = [
        (Algorithm::EdDsa, "crv", json!("X25519"), "crv"),
        (Algorithm::EdDsa, "crv", json!(null), "crv"),
        (Algorithm::EdDsa, "x", json!(null), "x"),
        (Algorithm::EdDsa, "x", json!("AAAA"), "x"),
        (Algorithm::EdDsa, "x", json!("!"), "x"),
        (Algorithm::Es256, "crv", json!("P-384"), "crv"),
        (Algorithm::Es256, "crv", json!("secp256k1"), "crv"),
        (Algorithm::Es256, "x", json!("AAAA"), "x"),
        (Algorithm::Es256, "y", json!(null), "y"),
        (Algorithm::Es256, "y", json!("A".repeat(43)), "x"),
        (Algorithm::Rs256, "n", json!(null), "n"),
        (Algorithm::Rs256, "n", json!("AQAB"), "n"),
        (Algorithm::Rs256, "e", json!("Aw"), "n"),
        (Algorithm::Rs256, "e", json!(65537), "e"),
    ];
    for (algorithm, member, value, blamed) in cases {
        let jwks = json!({ "keys": [spoiled(algorithm, member, value)] });
        assert_eq!(paths(&jwks), [format!("keys[0].{blamed}")], "{jwks}");
    }
}

fn ed25519_jwk(bytes: [u8; 32]) -> Value {
    use base64::Engine;
    let x = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x}]})
}

#[test]
fn ed25519_points_of_small_order() {
    let mut identity = [0u8; 32];
    identity[0] = 1;
    let mut noncanonical_identity = [0xff; 32];
    noncanonical_identity[0] = 0xee;
    noncanonical_identity[31] = 0x7f;
    let mut order_two = [0xff; 32];
    order_two[0] = 0xec;
    order_two[31] = 0x7f;
    for bytes in [[0u8; 32], identity, noncanonical_identity, order_two] {
        assert_eq!(paths(&ed25519_jwk(bytes)), ["keys[0].x"], "{bytes:02x?}");
    }
}

#[test]
fn rsa_moduli_by_their_size_and_form() {
    use base64::Engine;
    let jwks = |modulus: &[u8]| {
        let n = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(modulus);
        json!({"keys": [{"kty": "RSA", "kid": "k", "n": n, "e": "AQAB"}]})
    };
    let modulus = |bytes: usize| vec![0xff; bytes];
    for bytes in [256, 384, 512] {
        assert!(KeySet::from_jwks(&jwks(&modulus(bytes))).is_ok());
    }
    let mut bits_2047 = modulus(256);
    bits_2047[0] = 0x7f;
    let mut even = modulus(256);
    even[255] = 0xfe;
    let short_behind_a_zero = [&[0][..], &modulus(255)].concat();
    let zero = vec![0; 256];
    for modulus in
        [modulus(128), modulus(255), modulus(513), bits_2047, even, short_behind_a_zero, zero]
    {
        assert_eq!(paths(&jwks(&modulus)), ["keys[0].n"]);
    }
}

/// What issuers publish that write numbers where RFC 7518 section 6 asks for octets.
#[test]
fn keys_with_padding_or_other_leading_zeros_are_the_same_keys() {
    use base64::Engine;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    let octets =
        |jwk: &Value, member: &str| URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap();
    let verifies = |pair: &Pair, jwk: &Value| {
        let keys = KeySet::from_jwks(&json!({ "keys": [jwk] })).unwrap();
        let verifier = session::Verifier::new(session::Rules::new(ISSUER, AUDIENCE), keys);
        let token = pair.key.sign(&claims()).unwrap();
        verifier.verify(token.as_bytes(), NOW).unwrap();
    };
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        let jwk = pair.key.public_jwk();
        for member in ["n", "e", "x", "y"].into_iter().filter(|name| jwk[*name].is_string()) {
            let mut padded = jwk.clone();
            padded[member] = json!(URL_SAFE.encode(octets(&jwk, member)));
            verifies(&pair, &padded);
            if algorithm != Algorithm::EdDsa {
                let mut longer = jwk.clone();
                let number = [&[0][..], &octets(&jwk, member)].concat();
                longer[member] = json!(URL_SAFE_NO_PAD.encode(number));
                verifies(&pair, &longer);
            }
        }
    }
}

/// One EC key in 256 has a coordinate that begins with a zero.
#[test]
fn a_coordinate_without_its_leading_zero_is_the_same_key() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let octets = |jwk: &Value| URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    let found = (0..20_000)
        .map(|_| key(Algorithm::Es256))
        .find(|key| octets(&key.public_jwk())[0] == 0)
        .unwrap();
    let mut jwk = found.public_jwk();
    let x = octets(&jwk);
    jwk["x"] = json!(URL_SAFE_NO_PAD.encode(&x[1..]));
    assert!(KeySet::from_jwks(&json!({ "keys": [jwk] })).is_ok());
    jwk["x"] = json!(URL_SAFE_NO_PAD.encode(&x[2..]));
    assert_eq!(paths(&json!({ "keys": [jwk] })), ["keys[0].x"]);
    jwk["x"] = json!(URL_SAFE_NO_PAD.encode([&[0, 0][..], &x].concat()));
    assert_eq!(paths(&json!({ "keys": [jwk] })), ["keys[0].x"]);
}

#[test]
fn everything_wrong_is_said_at_once_and_no_key_is_shown() {
    let twin = key(Algorithm::EdDsa).public_jwk();
    let mut private = key(Algorithm::Es256).public_jwk();
    private["kid"] = json!("k2");
    private["d"] = json!("c2VjcmV0LXNlY3JldA");
    private["use"] = json!("enc");
    let jwks = json!({"keys": [twin, twin, private, {"kty": "oct", "k": "c2VjcmV0", "kid": "h"}]});
    let errors = KeySet::from_jwks(&jwks).unwrap_err();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let paths: Vec<&str> = errors.iter().map(|error| error.path()).collect();
    assert_eq!(paths, ["keys[1].kid", "keys[2].d", "keys[2].use", "keys[3].k", "keys[3].kty"]);
    assert!(shown.iter().all(|error| !error.contains("c2VjcmV0")), "{shown:?}");
    assert!(shown[0].starts_with("keys[1].kid: an earlier key of this algorithm"), "{}", shown[0]);
}

#[test]
fn entries_name_each_key_with_its_algorithm() {
    let keys = KeySet::from_jwks(&key(Algorithm::Es256).public_jwks()).unwrap();
    assert_eq!(keys.entries().collect::<Vec<_>>(), [("k1", Algorithm::Es256)]);
}

#[test]
fn one_kid_may_name_a_key_of_each_algorithm() {
    let keys = Algorithm::ALL.map(|algorithm| spoiled(algorithm, "kid", json!("k")));
    let keys = KeySet::from_jwks(&json!({ "keys": keys })).unwrap();
    assert_eq!(keys.entries().collect::<Vec<_>>(), Algorithm::ALL.map(|each| ("k", each)));
    let rules = session::Rules::new(ISSUER, AUDIENCE);
    let verifier = session::Verifier::new(rules, keys);
    let foreign = session::mint::SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap();
    let token = foreign.sign(&claims()).unwrap();
    assert_eq!(verifier.verify(token.as_bytes(), NOW).err(), Some(session::Refusal::Signature));
}
