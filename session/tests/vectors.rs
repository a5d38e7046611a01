//! Tokens and keys that others made.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use session::mint::{KeyError, SigningKey, thumbprint};
use session::{KeySet, Refusal, Rules, Verifier};

#[test]
fn tokens_of_another_implementation() {
    let foreign: Value = serde_json::from_str(include_str!("foreign.json")).unwrap();
    let keys = KeySet::from_jwks(&foreign).unwrap();
    assert_eq!(keys.entries().count(), 4);
    let verify = |audience: &str, token: &str| {
        let rules = Rules::new("https://control-plane.example", audience);
        Verifier::new(rules, keys.clone()).verify(token.as_bytes(), 1_700_000_100)
    };
    let tokens = foreign["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 4);
    for token in tokens {
        let token = token.as_str().unwrap();
        assert_eq!(verify("leasehold-edge", token).unwrap().subject(), Some("ci-job-7"));
        assert_eq!(verify("another", token).unwrap_err(), Refusal::Audience);
    }
}

#[test]
fn thumbprints_of_the_rfcs() {
    // RFC 7638 section 3.1; further members do not count.
    let rsa = json!({
        "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc\
              _BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0\
              _FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhA\
              I4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    assert_eq!(thumbprint(&rsa).unwrap(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    // RFC 8037 appendix A.3.
    let okp = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    assert_eq!(thumbprint(&okp).unwrap(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(thumbprint(&json!({"kty": "oct", "k": "AA"})), None);
}

#[test]
fn a_key_keeps_its_name_and_its_value_through_pem() {
    for algorithm in session::Algorithm::ALL {
        let key = SigningKey::generate(algorithm, None).unwrap();
        let again = SigningKey::from_pem(&key.to_pem().unwrap(), None).unwrap();
        assert_eq!(again.public_jwk(), key.public_jwk());
        assert_eq!(thumbprint(&key.public_jwk()).as_deref(), Some(key.kid()));
        let renamed = SigningKey::from_pem(&key.to_pem().unwrap(), Some("mine")).unwrap();
        assert_eq!(renamed.kid(), "mine");
        assert!(!key.public_jwk().to_string().contains("\"d\""));
    }
    for text in ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        assert_eq!(SigningKey::from_pem(text, None).err(), Some(KeyError::Pem));
    }
}
