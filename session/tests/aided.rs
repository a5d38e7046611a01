//! Whoever checks a signature, the same tokens are good: the libraries in here, or somebody of another house.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Value, json};
use session::{Algorithm, Refusal, Said, Signatures, Signed};
use std::cell::Cell;
use std::sync::LazyLock;
use support::*;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// ring, whose mathematics are BoringSSL's, as Envoy's are. Counts what it is asked.
#[derive(Default)]
struct Ring {
    asked: Cell<usize>,
}

/// Somebody who always says the same.
struct Says(Said);

const AIDED: [Algorithm; 2] = [Algorithm::Es256, Algorithm::Rs256];
/// The order of P-256 (FIPS 186-4, D.1.2.3).
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

impl Signatures for Ring {
    fn check(&self, signed: &Signed<'_>) -> Said {
        self.asked.set(self.asked.get() + 1);
        let (rest, info) = SubjectPublicKeyInfo::from_der(signed.public_key).unwrap();
        assert!(rest.is_empty());
        let algorithm: &dyn VerificationAlgorithm =
            match info.algorithm.algorithm.to_id_string().as_str() {
                "1.2.840.10045.2.1" => &ECDSA_P256_SHA256_ASN1,
                "1.2.840.113549.1.1.1" => &RSA_PKCS1_2048_8192_SHA256,
                other => panic!("{other}"),
            };
        let key = UnparsedPublicKey::new(algorithm, &info.subject_public_key.data);
        match key.verify(signed.message, signed.signature) {
            Ok(()) => Said::Yes,
            Err(_) => Said::No,
        }
    }
}

impl Signatures for Says {
    fn check(&self, _: &Signed<'_>) -> Said {
        self.0
    }
}

/// The key of an algorithm, the same for all tests: RSA keys take their time.
fn pair(algorithm: Algorithm) -> &'static Pair {
    static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| Algorithm::ALL.map(Pair::new).into());
    PAIRS.iter().find(|pair| pair.key.algorithm() == algorithm).unwrap()
}

/// Why it is refused with this help, if it is.
fn with(pair: &Pair, token: &str, help: &dyn Signatures) -> Option<Refusal> {
    pair.verifier.authenticate_with(token.as_bytes(), help).err()
}

/// Both say the same; what they say.
fn agreed(pair: &Pair, token: &str) -> Option<Refusal> {
    let alone = with(pair, token, &session::Unaided);
    assert_eq!(alone, with(pair, token, &Ring::default()), "{token}");
    alone
}

fn with_signature(token: &str, signature: &[u8]) -> String {
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn signature_of(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.rsplit_once('.').unwrap().1).unwrap()
}

fn number(hex: &str) -> rsa::BigUint {
    rsa::BigUint::parse_bytes(hex.as_bytes(), 16).unwrap()
}

/// Big-endian, as long as asked for.
fn padded(number: &rsa::BigUint, size: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; size.checked_sub(bytes.len()).unwrap()], bytes].concat()
}

#[test]
fn whoever_helps_is_asked_about_es256_and_rs256_and_believed() {
    for algorithm in Algorithm::ALL {
        let pair = pair(algorithm);
        let token = pair.key.sign(&claims()).unwrap();
        let ring = Ring::default();
        assert_eq!(with(pair, &token, &ring), None);
        let asked = AIDED.contains(&algorithm);
        assert_eq!(ring.asked.get(), usize::from(asked), "{algorithm}");
        let refused = with(pair, &token, &Says(Said::No));
        assert_eq!(refused, asked.then_some(Refusal::Signature));
        assert_eq!(with(pair, &token, &Says(Said::Nothing)), None);
        let forged = key(algorithm).sign(&claims()).unwrap();
        assert_eq!(with(pair, &forged, &Says(Said::Nothing)), Some(Refusal::Signature));
        assert_eq!(agreed(pair, &forged), Some(Refusal::Signature));
    }
}

#[test]
fn what_is_no_signature_by_its_form_is_shown_to_nobody() {
    for algorithm in AIDED {
        let pair = pair(algorithm);
        let token = pair.key.sign(&claims()).unwrap();
        let right = signature_of(&token);
        let mut forms =
            vec![right[1..].to_vec(), [&right[..], &[0]].concat(), vec![1], vec![0; 70]];
        if algorithm == Algorithm::Es256 {
            let order = number(ORDER).to_bytes_be();
            let zero = [0; 32];
            let (r, s) = right.split_at(32);
            forms.extend([[r, &zero].concat(), [&zero, s].concat(), [r, &order].concat()]);
            forms.extend([[&order, s].concat(), [r, &[0xff; 32]].concat(), vec![0; 64]]);
            forms.push(
                p256::ecdsa::Signature::from_slice(&right).unwrap().to_der().as_bytes().into(),
            );
        } else {
            forms.extend([vec![0xff; 256], [&[0], &right[..]].concat()]);
        }
        for form in forms {
            let token = with_signature(&token, &form);
            // Not even one who says yes to everything.
            let refusal = with(pair, &token, &Says(Said::Yes));
            assert_eq!(refusal, Some(Refusal::Signature), "{algorithm} {form:02x?}");
            assert_eq!(agreed(pair, &token), Some(Refusal::Signature));
        }
    }
}

#[test]
fn an_rsa_signature_plus_the_modulus_is_none() {
    let pair = pair(Algorithm::Rs256);
    let n = pair.key.public_jwk()["n"].as_str().map(|n| URL_SAFE_NO_PAD.decode(n).unwrap());
    let n = rsa::BigUint::from_bytes_be(&n.unwrap());
    // Some fit into the same bytes.
    let twin = (0..).find_map(|jti| {
        let token = pair.key.sign(&claims_with(&[("jti", json!(format!("t-{jti}")))])).unwrap();
        let sum = rsa::BigUint::from_bytes_be(&signature_of(&token)) + &n;
        (sum.bits() <= 2048).then(|| with_signature(&token, &padded(&sum, 256)))
    });
    assert_eq!(agreed(pair, &twin.unwrap()), Some(Refusal::Signature));
}

/// (r, s) and (r, -s) are both signatures; honest signers send either.
#[test]
fn both_halves_of_an_ecdsa_signature_are_good() {
    let pair = pair(Algorithm::Es256);
    let token = pair.key.sign(&claims()).unwrap();
    let signature = signature_of(&token);
    let (r, s) = signature.split_at(32);
    let negative = number(ORDER) - rsa::BigUint::from_bytes_be(s);
    let other = with_signature(&token, &[r, &padded(&negative, 32)].concat());
    assert_ne!(token, other);
    assert_eq!((agreed(pair, &token), agreed(pair, &other)), (None, None));
}

/// No library reads a token in our place: none makes one bad that is good with help.
#[test]
fn what_a_token_says_counts_the_same_with_help_and_without() {
    let values = [
        json!(null),
        json!(true),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!("x"),
        json!("!"),
        json!([]),
        json!(["x"]),
        json!([1]),
        json!({}),
        json!({"x": 1}),
    ];
    let header = [
        "alg", "kid", "typ", "cty", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit", "salt",
        "zip", "other",
    ];
    let payload = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "kid", "other"];
    for algorithm in AIDED {
        let pair = pair(algorithm);
        let mut good = 0;
        let mut check = |header: &Value, claims: &Value| {
            let token = pair.key.sign_with_header(header, claims).unwrap();
            let alone = with(pair, &token, &session::Unaided);
            assert_eq!(alone, with(pair, &token, &Says(Said::Yes)), "{header} {claims}");
            good += usize::from(alone.is_none());
        };
        let ordinary = json!({"alg": algorithm.name(), "kid": "k1"});
        for value in &values {
            for name in header {
                let mut header = ordinary.clone();
                header[name] = value.clone();
                check(&header, &claims());
            }
            for name in payload {
                check(&ordinary, &claims_with(&[(name, value.clone())]));
            }
        }
        assert!(good > 50, "{good}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A good token with some bytes of its signature changed, and a wholly invented signature.
    #[test]
    fn they_agree_about_every_signature(
        algorithm in proptest::sample::select(&AIDED[..]),
        changes in proptest::collection::vec((0usize..512, any::<u8>()), 0..3),
        invented in proptest::option::of(any::<[u8; 32]>()),
    ) {
        let pair = pair(algorithm);
        let token = pair.key.sign(&claims()).unwrap();
        let right = signature_of(&token);
        let mut signature = right.clone();
        for (at, mask) in changes {
            let at = at % signature.len();
            signature[at] ^= mask;
        }
        if let Some(bytes) = invented {
            signature.iter_mut().zip(bytes.iter().cycle()).for_each(|(to, from)| *to = *from);
        }
        let refusal = agreed(pair, &with_signature(&token, &signature));
        prop_assert_eq!(refusal, (signature != right).then_some(Refusal::Signature));
    }
}
