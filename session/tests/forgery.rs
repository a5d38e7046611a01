//! What an attacker would send: other algorithms, other keys, keys of the token's own, flipped bits.
#![allow(clippy::unwrap_used)]

mod support;

use p256::ecdsa::signature::Signer;
use proptest::prelude::*;
use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, KeySet, Refusal};
use support::*;

/// `header.payload` with a signature of the attacker's choice.
fn token_with(header: &Value, claims: &Value, signature: &str) -> String {
    let carrier = key(Algorithm::EdDsa).sign_with_header(header, claims).unwrap();
    let (signed, _) = carrier.rsplit_once('.').unwrap();
    format!("{signed}.{signature}")
}

/// Every spelling of a word in large and small letters.
fn spellings(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    (0..1u32 << letters.len())
        .map(|mask| {
            let pick = |(index, letter): (usize, &char)| {
                if mask >> index & 1 == 1 { letter.to_ascii_uppercase() } else { *letter }
            };
            letters.iter().enumerate().map(pick).collect()
        })
        .collect()
}

#[test]
fn none_in_every_spelling_with_and_without_signature() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        assert!(pair.claims(&claims()).is_ok());
        let spellings = spellings("none");
        assert_eq!(spellings.len(), 16);
        for alg in spellings.iter().map(String::as_str).chain(["", " none", "none\0"]) {
            let header = json!({"alg": alg, "kid": "k1"});
            for signature in ["", "AA", &"A".repeat(86)] {
                let token = token_with(&header, &claims(), signature);
                assert_eq!(refused(pair.check(&token), alg), Refusal::Algorithm, "{alg:?}");
            }
            let signed = pair.key.sign_with_header(&header, &claims()).unwrap();
            assert_eq!(refused(pair.check(&signed), alg), Refusal::Algorithm);
        }
    }
}

#[test]
fn an_empty_signature_is_refused_under_a_real_algorithm() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        let header = json!({"alg": algorithm.name(), "kid": "k1"});
        let token = token_with(&header, &claims(), "");
        assert_eq!(refused(pair.check(&token), "empty"), Refusal::Malformed);
        for signature in ["AA", &"A".repeat(86), &"A".repeat(342)] {
            let token = token_with(&header, &claims(), signature);
            assert_eq!(refused(pair.check(&token), signature), Refusal::Signature);
        }
    }
}

/// HMAC-SHA256 (RFC 2104), written out so that the forgery is a true one.
fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    use rsa::sha2::{Digest, Sha256};
    let mut block = [0u8; 64];
    if secret.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        block[..secret.len()].copy_from_slice(secret);
    }
    let inner = block.map(|byte| byte ^ 0x36);
    let outer = block.map(|byte| byte ^ 0x5c);
    let inner = Sha256::new().chain_update(inner).chain_update(message).finalize();
    Sha256::new().chain_update(outer).chain_update(inner).finalize().to_vec()
}

#[test]
fn the_hmac_itself_is_right() {
    // RFC 4231 section 4.3, test case 2.
    let hex: String = hmac_sha256(b"Jefe", b"what do ya want for nothing?")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    use base64::Engine;
    let base64url = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        let jwk = pair.key.public_jwk();
        let member = |name: &str| jwk.get(name).and_then(Value::as_str).map(str::to_owned);
        let text = member("n").or_else(|| member("x")).unwrap();
        let secrets = [
            text.clone().into_bytes(),
            base64url.decode(&text).unwrap(),
            jwk.to_string().into_bytes(),
        ];
        for (alg, expected) in [
            ("HS256", Refusal::Algorithm),
            ("HS384", Refusal::Algorithm),
            ("HS512", Refusal::Algorithm),
            ("hs256", Refusal::Algorithm),
            // The header says what the key is for, the signature is an HMAC all the same.
            (algorithm.name(), Refusal::Signature),
        ] {
            for secret in &secrets {
                let header = json!({"alg": alg, "kid": "k1"});
                let unsigned = token_with(&header, &claims(), "");
                let input = unsigned.trim_end_matches('.');
                let tag = base64url.encode(hmac_sha256(secret, input.as_bytes()));
                let refusal = refused(pair.check(&format!("{input}.{tag}")), alg);
                assert_eq!(refusal, expected, "{alg}");
            }
        }
    }
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_headers() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        for alg in [
            "EdDSA", "ES256", "RS256", "ES384", "ES512", "ES256K", "RS384", "RS512", "PS256",
            "ed25519", "eddsa", "RSA-OAEP", "dir", "RS256 ",
        ] {
            let result = pair.header(&json!({"alg": alg, "kid": "k1"}));
            if alg == algorithm.name() {
                assert!(result.is_ok());
            } else {
                assert_eq!(refused(result, alg), Refusal::Algorithm, "{alg} for {algorithm}");
            }
        }
    }
}

#[test]
fn keys_do_not_stand_in_for_one_another() {
    let named =
        |algorithm: Algorithm| SigningKey::generate(algorithm, Some(algorithm.name())).unwrap();
    let keys = Algorithm::ALL.map(named);
    let verifier = verifier(&[&keys[0], &keys[1], &keys[2]]);
    for signer in &keys {
        for claimed in &keys {
            let header = json!({"alg": claimed.algorithm().name(), "kid": claimed.kid()});
            let token = signer.sign_with_header(&header, &claims()).unwrap();
            let result = verifier.verify(token.as_bytes(), NOW);
            if signer.kid() == claimed.kid() {
                assert!(result.is_ok());
            } else {
                assert_eq!(refused(result, claimed.kid()), Refusal::Signature);
            }
        }
    }
}

#[test]
fn a_stranger_with_our_kid_is_refused() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        let token = key(algorithm).sign(&claims()).unwrap();
        assert_eq!(refused(pair.check(&token), "stranger"), Refusal::Signature);
    }
}

#[test]
fn keys_that_a_token_brings_along_are_never_used() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        let stranger = key(algorithm);
        let mut header = json!({
            "alg": algorithm.name(), "kid": "k1", "x5c": ["AAAA"],
            "jku": "https://evil.example/jwks", "x5u": "https://evil.example/x",
        });
        let signed_by = |key: &SigningKey, header: &Value| {
            pair.check(&key.sign_with_header(header, &claims()).unwrap())
        };
        assert_eq!(refused(signed_by(&stranger, &header), "forged"), Refusal::Signature);
        assert!(signed_by(&pair.key, &header).is_ok());
        // A whole key inside the header is nothing an honest issuer sends.
        header["jwk"] = json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"});
        assert_eq!(refused(signed_by(&stranger, &header), "forged"), Refusal::Malformed);
        assert_eq!(refused(signed_by(&pair.key, &header), "honest"), Refusal::Malformed);
    }
}

#[test]
fn es256_takes_the_raw_signature_and_no_other() {
    let secret = p256::ecdsa::SigningKey::from_slice(&[7u8; 32]).unwrap();
    let point = secret.verifying_key().to_sec1_point(false);
    let encode = |bytes: &[u8]| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    };
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "k1",
        "x": encode(point.x().unwrap()), "y": encode(point.y().unwrap())});
    let keys = KeySet::from_jwks(&json!({ "keys": [jwk] })).unwrap();
    let verifier = session::Verifier::new(session::Rules::new(ISSUER, AUDIENCE), keys);
    let unsigned = token_with(&json!({"alg": "ES256", "kid": "k1"}), &claims(), "");
    let input = unsigned.trim_end_matches('.');
    let signature: p256::ecdsa::Signature = secret.sign(input.as_bytes());
    let check =
        |bytes: &[u8]| verifier.verify(format!("{input}.{}", encode(bytes)).as_bytes(), NOW).err();
    let raw = signature.to_bytes();
    assert_eq!(check(&raw), None);
    assert_eq!(check(signature.to_der().as_bytes()), Some(Refusal::Signature));
    assert_eq!(check(&raw[..63]), Some(Refusal::Signature));
    assert_eq!(check(&[&raw[..], &[0]].concat()), Some(Refusal::Signature));
    assert_eq!(check(&[0; 64]), Some(Refusal::Signature));
    assert_eq!(check(&[[0u8; 32], [1u8; 32]].concat()), Some(Refusal::Signature));
}

/// Flips every bit of the token's text, one at a time; none may verify.
fn check_every_bit(algorithm: Algorithm) {
    let pair = Pair::new(algorithm);
    let token = pair.key.sign(&claims()).unwrap();
    assert!(pair.check(&token).is_ok());
    for index in 0..token.len() {
        for bit in 0..8 {
            let mut flipped = token.clone().into_bytes();
            flipped[index] ^= 1 << bit;
            assert!(
                pair.verifier.verify(&flipped, NOW).is_err(),
                "byte {index} bit {bit} of {token}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_verifies_eddsa() {
    check_every_bit(Algorithm::EdDsa);
}

#[test]
fn no_flipped_bit_verifies_es256() {
    check_every_bit(Algorithm::Es256);
}

#[test]
fn no_flipped_bit_verifies_rs256() {
    check_every_bit(Algorithm::Rs256);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever bytes come in: no panic, and nothing but our own token is believed.
    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        static PAIR: std::sync::LazyLock<Pair> =
            std::sync::LazyLock::new(|| Pair::new(Algorithm::EdDsa));
        prop_assert!(PAIR.verifier.verify(&bytes, NOW).is_err());
    }

    /// Arbitrary JSON under a good signature: only honest codes, and times decide as written.
    #[test]
    fn signed_times_follow_the_rules(
        iat in prop_oneof![NOW - 5000..NOW + 5000, any::<u64>()],
        life in prop_oneof![0u64..4000, any::<u64>()],
        nbf in proptest::option::of(prop_oneof![NOW - 100..NOW + 100, any::<u64>()]),
    ) {
        static PAIR: std::sync::LazyLock<Pair> =
            std::sync::LazyLock::new(|| Pair::new(Algorithm::EdDsa));
        let exp = iat.wrapping_add(life);
        let mut claims = claims_with(&[("iat", json!(iat)), ("exp", json!(exp))]);
        if let Some(nbf) = nbf {
            claims["nbf"] = json!(nbf);
        }
        // The same rules once more, in numbers that can not overflow.
        let (i, e, now, leeway) =
            (i128::from(iat), i128::from(exp), i128::from(NOW), i128::from(LEEWAY));
        let expected = if e - i < 1 {
            Some(Refusal::Lifetime)
        } else if now >= e {
            Some(Refusal::Expired)
        } else if now >= i + 3600 {
            Some(Refusal::Lifetime)
        } else if i > now + leeway || nbf.is_some_and(|nbf| i128::from(nbf) > now + leeway) {
            Some(Refusal::NotYetValid)
        } else {
            None
        };
        prop_assert_eq!(PAIR.claims(&claims).err(), expected);
    }
}
