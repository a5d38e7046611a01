//! What an issuer publishes: some of it is for us.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, IssuerKeys, KeyChange};

fn key(kid: &str) -> Value {
    SigningKey::generate(Algorithm::EdDsa, Some(kid)).unwrap().public_jwk()
}

fn read(keys: &[Value]) -> Result<IssuerKeys, String> {
    IssuerKeys::read(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn what_serves_others_is_left_out() {
    let mut encrypts = key("b");
    encrypts["use"] = json!("enc");
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "c", "pub": "AA"});
    let mut private = key("d");
    private["d"] = json!("AAAA");
    let mut nameless = key("e");
    nameless.as_object_mut().unwrap().remove("kid");
    let usable = read(&[key("a"), encrypts, unknown, private, nameless]).ok().unwrap();
    let kids: Vec<_> = usable.keys().entries().map(|(kid, _)| kid.to_owned()).collect();
    assert_eq!(kids, ["a"]);
    assert_eq!(usable.left_out().len(), 4);
}

#[test]
fn what_is_no_key_set() {
    for bytes in ["", "<html>", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": []}"#] {
        assert!(IssuerKeys::read(bytes.as_bytes()).is_err(), "{bytes}");
    }
    assert!(read(&[key("a"), key("a")]).is_err());
    let many: Vec<_> = (0..65).map(|at| key(&at.to_string())).collect();
    assert!(read(&many).is_err());
}

#[test]
fn a_change_of_keys_is_told_by_their_names() {
    let (a, b, c) = (key("a"), key("b"), key("c"));
    let before = read(&[a.clone(), b.clone()]).ok().unwrap();
    assert_eq!(before.change_from(Some(&before)), KeyChange::default());
    let after = read(&[a, key("b"), c]).ok().unwrap();
    let owned = |kid: &str| vec![kid.to_owned()];
    let change = after.change_from(Some(&before));
    assert_eq!(change.to_string(), r#"added ["c"], replaced ["b"]"#);
    assert_eq!((change.added, change.replaced), (owned("c"), owned("b")));
    assert_eq!(before.change_from(Some(&after)).removed, owned("c"));
}
