//! What an issuer publishes: some of it is for us.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use session::mint::SigningKey;
use session::{Algorithm, IssuerKeys, KeyChange};

fn key(kid: &str) -> Value {
    SigningKey::generate(Algorithm::EdDsa, Some(kid)).unwrap().public_jwk()
}

fn key_of(algorithm: Algorithm, kid: &str) -> Value {
    SigningKey::generate(algorithm, Some(kid)).unwrap().public_jwk()
}

fn entries(keys: &IssuerKeys) -> Vec<(&str, Algorithm)> {
    keys.keys().entries().collect()
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
    let refused = |bytes: &str| IssuerKeys::read(bytes.as_bytes()).err().unwrap();
    let twice = format!(r#"{{"keys": [{}], "keys": []}}"#, key("a"));
    for (bytes, reason) in [
        ("", "not a JSON object"),
        ("<html>", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("[[{}]]", "not a JSON object"),
        ("{}", "missing field `keys`"),
        (r#"{"keys": {}}"#, "expected a sequence"),
        (r#"{"keys": []}"#, "no key that verifies a session"),
        (&twice, "duplicate field `keys`"),
    ] {
        assert!(refused(bytes).contains(reason), "{bytes}: {}", refused(bytes));
    }
    let many: Vec<_> = (0..65).map(|at| key(&at.to_string())).collect();
    assert_eq!(read(&many).err().as_deref(), Some("more than 64 keys"));
}

#[test]
fn keys_of_one_kid_and_two_algorithms_are_both_used() {
    let mixed = read(&[key("a"), key_of(Algorithm::Es256, "a")]).ok().unwrap();
    assert_eq!(entries(&mixed), [("a", Algorithm::EdDsa), ("a", Algorithm::Es256)]);
    assert_eq!((mixed.count(), mixed.left_out()), (2, &[][..]));
    let change = mixed.change_from(Some(&read(&[key("a")]).ok().unwrap()));
    assert_eq!(change.to_string(), r#"added ["a"], replaced ["a"]"#);
}

#[test]
fn keys_of_one_kid_and_one_algorithm_are_both_left_out() {
    let doubtful = read(&[key("a"), key("b"), key("a"), key_of(Algorithm::Es256, "a")]);
    let doubtful = doubtful.ok().unwrap();
    assert_eq!(entries(&doubtful), [("a", Algorithm::Es256), ("b", Algorithm::EdDsa)]);
    assert_eq!(
        doubtful.left_out(),
        [
            "keys[0]: keys[2] is another EdDSA key of the kid \"a\"; neither is used",
            "keys[2]: keys[0] is another EdDSA key of the kid \"a\"; neither is used",
        ]
    );
    assert!(read(&[key("a"), key("a")]).err().unwrap().starts_with("no key that verifies"));
}

#[test]
fn a_key_that_is_listed_twice_is_one_key() {
    let (mut again, a) = (key("a"), key("b"));
    again["x"] = a["x"].clone();
    again["kid"] = a["kid"].clone();
    again["x5t"] = json!("AAAA");
    let once = read(&[a, again]).ok().unwrap();
    assert_eq!((once.count(), once.left_out()), (1, &[][..]));
}

#[test]
fn a_key_whose_private_part_is_in_the_set_is_used_under_no_kid() {
    let (a, b) = (key("a"), key("b"));
    let mut private = a.clone();
    private["d"] = json!("AAAA");
    private["kid"] = json!("another");
    let left = read(&[a, b, private]).ok().unwrap();
    assert_eq!(entries(&left), [("b", Algorithm::EdDsa)]);
    assert_eq!(left.left_out().len(), 2, "{:?}", left.left_out());
    assert!(left.left_out().iter().any(|why| why.starts_with("keys[0]: the set discloses")));
}

#[test]
fn a_bad_member_spoils_nothing_beside_itself() {
    let good = key("good");
    let twice = key("good").to_string().replacen('{', r#"{"kid": "x", "#, 1);
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let mut bad: Vec<String> = vec![
        "null".into(),
        "[]".into(),
        "{}".into(),
        r#""text""#.into(),
        "1e999".into(),
        twice,
        deep.clone(),
        format!(r#"{{"kty": "OKP", "kid": "good", "x5c": {deep}}}"#),
        r#"{"kty": "OKP", "kid": "\ud800"}"#.into(),
        r#"{"kty": "OKP", "kid": "good", "exp": 1e999}"#.into(),
    ];
    for (member, value) in [
        ("kty", json!("AKP")),
        ("kty", json!(null)),
        ("crv", json!("X25519")),
        ("x", json!("AA")),
        ("x", json!("!")),
        ("x", json!(7)),
        ("kid", json!(null)),
        ("kid", json!("")),
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("HS256")),
        ("alg", json!("none")),
        ("k", json!("AAAA")),
    ] {
        let mut jwk = key("good");
        jwk[member] = value;
        bad.push(jwk.to_string());
    }
    for (member, value) in [("n", json!("AQAB")), ("e", json!("Aw")), ("n", json!("!"))] {
        let mut jwk = json!({"kty": "RSA", "kid": "good", "n": "_".repeat(342), "e": "AQAB"});
        jwk[member] = value;
        bad.push(jwk.to_string());
    }
    for member in &bad {
        for set in [format!("[{good}, {member}]"), format!("[{member}, {good}]")] {
            let text = format!(r#"{{"keys": {set}, "more": {deep}}}"#);
            let read = IssuerKeys::read(text.as_bytes()).map_err(|why| format!("{member}: {why}"));
            let read = read.ok().unwrap();
            assert_eq!(entries(&read), [("good", Algorithm::EdDsa)], "{member}");
            assert_eq!(read.left_out().len(), 1, "{member}");
        }
    }
    let many = format!(r#"{{"keys": [{good}, {}]}}"#, vec!["{}"; 1000].join(","));
    let read = IssuerKeys::read(many.as_bytes()).ok().unwrap();
    assert_eq!((read.count(), read.left_out().len()), (1, 17));
    assert_eq!(read.left_out().last().unwrap(), "and 984 more");
}

#[test]
fn what_is_left_out_names_the_member_and_is_told_once() {
    let mut encrypts = key("b");
    encrypts["use"] = json!("enc");
    let (a, bare) = (key("a"), read(&[key("a")]).ok().unwrap());
    let with = read(&[a, encrypts]).ok().unwrap();
    assert_eq!(with.left_out(), [r#"keys[1].use: must be "sig" or left out"#]);
    assert!(with.has_new_omissions(None) && with.has_new_omissions(Some(&bare)));
    assert!(!with.has_new_omissions(Some(&with)) && !bare.has_new_omissions(Some(&with)));
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
