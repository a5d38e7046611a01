//! Bytes that nobody signed are no session, and a header that is read says what the token says.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use session::unverified::UnverifiedToken;
use session::{KeySet, Rules, Verifier};

/// A key of each algorithm; its private half is thrown away.
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let rules = Rules::new("https://control-plane.example", "leasehold");
    Verifier::new(rules, KeySet::from_jwks(&json!({"keys": KEYS.map(key)})).unwrap())
});

const KEYS: [&str; 2] = [
    r#"{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"a",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    r#"{"kty":"EC","crv":"P-256","alg":"ES256","kid":"b",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
];

pub fn check(bytes: &[u8]) {
    assert!(VERIFIER.authenticate(bytes).is_err(), "a forgery: {}", bytes.escape_ascii());
    check_token(bytes);
    // The fuzzer finds no base64url by itself: the bytes as a header, too.
    let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(bytes));
    assert!(VERIFIER.authenticate(token.as_bytes()).is_err(), "a forgery: {token}");
    check_token(token.as_bytes());
}

fn check_token(bytes: &[u8]) {
    let Ok(token) = UnverifiedToken::parse(bytes) else { return };
    let Ok(header) = token.unverified_header() else { return };
    let members = token.unverified_header_members().unwrap();
    assert_eq!(members.get("alg"), Some(&Value::String(header.algorithm)));
    assert_eq!(members.get("kid"), header.key_id.map(Value::String).as_ref());
    for name in ["crit", "jwk", "salt"] {
        assert!(!members.contains_key(name), "{name}");
    }
    // One header has one spelling: what is read is what the strict alphabet writes.
    let (segment, _) = bytes.split_at(bytes.iter().position(|byte| *byte == b'.').unwrap());
    let json = URL_SAFE_NO_PAD.decode(segment).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(&json).as_bytes(), segment);
    assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), Value::Object(members));
}

fn key(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
