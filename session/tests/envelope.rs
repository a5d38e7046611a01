//! Size, shape and header: what is refused before any claim is looked at.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use session::{Algorithm, Refusal, TOKEN_BYTES};
use support::*;

/// A token we signed, padded to exactly this many bytes. Base64url skips one length in four, so the
/// header is padded too.
fn token_of(pair: &Pair, length: usize) -> String {
    let padded = |junk: usize, padding: usize| {
        let alg = pair.key.algorithm().name();
        let header = json!({"alg": alg, "kid": "k1", "junk": "j".repeat(junk)});
        let claims = claims_with(&[("pad", json!("x".repeat(padding)))]);
        pair.key.sign_with_header(&header, &claims).unwrap()
    };
    let near = (length - padded(0, 0).len()) * 3 / 4;
    (0..4)
        .flat_map(|junk| (near - 8..near + 8).map(move |padding| (junk, padding)))
        .map(|(junk, padding)| padded(junk, padding))
        .find(|token| token.len() == length)
        .unwrap()
}

#[test]
fn tokens_of_8192_bytes_and_of_8193() {
    assert_eq!(TOKEN_BYTES, 8192);
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        assert!(pair.check(&token_of(&pair, 8192)).is_ok());
        assert_eq!(refused(pair.check(&token_of(&pair, 8193)), "8193"), Refusal::TooLarge);
    }
}

#[test]
fn size_comes_before_shape() {
    let pair = Pair::new(Algorithm::EdDsa);
    assert_eq!(refused(pair.check(&"a".repeat(8192)), "8192"), Refusal::Malformed);
    assert_eq!(refused(pair.check(&"a".repeat(8193)), "8193"), Refusal::TooLarge);
}

#[test]
fn header_of_1024_bytes_and_of_1025() {
    let pair = Pair::new(Algorithm::EdDsa);
    let header = |length: usize| {
        let bare = json!({"alg": "EdDSA", "kid": "k1", "junk": ""}).to_string().len();
        json!({"alg": "EdDSA", "kid": "k1", "junk": "j".repeat(length - bare)}).to_string()
    };
    assert_eq!(header(1024).len(), 1024);
    assert!(pair.header_text(&header(1024)).is_ok());
    assert_eq!(refused(pair.header_text(&header(1025)), "1025"), Refusal::TooLarge);
}

#[test]
fn a_token_of_another_shape_is_malformed() {
    let pair = Pair::new(Algorithm::EdDsa);
    let token = pair.key.sign(&claims()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    assert!(pair.check(&token).is_ok());
    let shapes = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}="),
        format!("{token}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload} .{signature}"),
        format!("Bearer {token}"),
        format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+") + "+"),
        format!("{header}.\u{e9}.{signature}"),
        "a.b.c.d.e".to_owned(),
    ];
    for shape in shapes {
        assert_eq!(refused(pair.check(&shape), &shape), Refusal::Malformed, "{shape:?}");
    }
    let bytes = [header.as_bytes(), b".\xff\xfe.", signature.as_bytes()].concat();
    assert_eq!(pair.verifier.verify(&bytes, NOW).unwrap_err(), Refusal::Malformed);
}

/// RFC 9864 section 2.2.
#[test]
fn ed25519_is_another_name_of_eddsa() {
    let pair = Pair::new(Algorithm::EdDsa);
    assert!(pair.header(&json!({"alg": "Ed25519", "kid": "k1"})).is_ok());
    let mut jwk = pair.key.public_jwk();
    jwk["alg"] = json!("Ed25519");
    let keys = session::KeySet::from_jwks(&json!({ "keys": [jwk] })).unwrap();
    assert_eq!(keys.entries().next(), Some(("k1", Algorithm::EdDsa)));
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let header = json!({"alg": "Ed25519", "kid": "k1"});
        assert_eq!(refused(Pair::new(algorithm).header(&header), "alg"), Refusal::Algorithm);
    }
}

#[test]
fn a_header_is_refused_for_what_no_session_jwt_has() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::new(algorithm);
        let alg = algorithm.name();
        let accepted = [
            json!({"alg": alg, "kid": "k1"}),
            json!({"alg": alg, "kid": "k1", "typ": "JWT"}),
            json!({"alg": alg, "kid": "k1", "typ": "jwt"}),
            json!({"alg": alg, "kid": "k1", "typ": "at+JWT"}),
            json!({"alg": alg, "kid": "k1", "typ": "JOSE"}),
            json!({"alg": alg, "kid": "k1", "typ": "application/at+jwt"}),
            json!({"alg": alg, "kid": "k1", "typ": "Application/JWT"}),
            json!({"alg": alg, "kid": "k1", "x5t": "abc", "other": {"deep": [1.5]}}),
        ];
        for header in accepted {
            assert!(pair.header(&header).is_ok(), "{header}");
        }
        let refusals = [
            (json!({"kid": "k1"}), Refusal::Malformed),
            (json!({"alg": null, "kid": "k1"}), Refusal::Malformed),
            (json!({"alg": [alg], "kid": "k1"}), Refusal::Malformed),
            (json!({"alg": alg, "kid": 1}), Refusal::Malformed),
            (json!({"alg": alg, "kid": null}), Refusal::Malformed),
            (json!({"alg": alg}), Refusal::UnknownKey),
            (json!({"alg": alg, "kid": ""}), Refusal::UnknownKey),
            (json!({"alg": alg, "kid": "K1"}), Refusal::UnknownKey),
            (json!({"alg": alg, "kid": "k2"}), Refusal::UnknownKey),
            (json!({"alg": alg, "kid": "k1", "typ": "application/"}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "typ": "application/logout+jwt"}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "typ": "text/jwt"}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "typ": "dpop+jwt"}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "typ": 1}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "crit": ["exp"]}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "crit": []}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "crit": null}), Refusal::Malformed),
            (json!({"alg": alg, "kid": "k1", "b64": false, "crit": ["b64"]}), Refusal::Malformed),
        ];
        for (header, refusal) in refusals {
            assert_eq!(refused(pair.header(&header), &header.to_string()), refusal, "{header}");
        }
        let twice = [
            format!(r#"{{"alg":"{alg}","kid":"k1","kid":"k1"}}"#),
            format!(r#"{{"alg":"{alg}","kid":"k2","kid":"k1"}}"#),
            format!(r#"{{"alg":"none","alg":"{alg}","kid":"k1"}}"#),
            format!(r#"{{"alg":"{alg}","kid":"k1","\u006bid":"k1"}}"#),
        ];
        for header in twice {
            assert_eq!(refused(pair.header_text(&header), &header), Refusal::Malformed, "{header}");
        }
    }
}
