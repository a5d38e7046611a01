//! What an issuer's rules make of its tokens: names, ends, algorithms, audiences, required claims.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use session::mint::SigningKey;
use session::unverified::UnverifiedJwt;
use session::{
    Algorithm, KeySet, LIFETIME_CEILING, Refusal, Rules, Session, SessionName, Verifier,
    errors_between,
};
use support::*;

fn with(key: &SigningKey, change: impl FnOnce(&mut Rules)) -> Verifier {
    let mut rules = Rules::new(ISSUER, AUDIENCE);
    change(&mut rules);
    Verifier::new(rules, KeySet::from_jwks(&key.public_jwks()).unwrap())
}

fn named(id: Value) -> impl FnOnce(&mut Rules) {
    move |rules| rules.name = serde_json::from_value(id).unwrap()
}

fn verify(verifier: &Verifier, key: &SigningKey, claims: &Value) -> Result<Session, Refusal> {
    verifier.verify(key.sign(claims).unwrap().as_bytes(), NOW)
}

fn name(id: Value, claims: &Value) -> Result<String, Refusal> {
    let key = key(Algorithm::EdDsa);
    verify(&with(&key, named(id)), &key, claims).map(|session| session.id().to_owned())
}

#[test]
fn a_session_is_named_by_its_issuer_and_the_claims_of_id() {
    let key = key(Algorithm::EdDsa);
    let default = |claims: &Value| {
        verify(&with(&key, |_| {}), &key, claims).map(|session| session.id().to_owned())
    };
    let named = |own: &str| Ok(format!("{ISSUER}#{own}"));
    assert_eq!(default(&claims()), named("t-1"));
    assert_eq!(default(&claims_with(&[("sid", json!("s-1"))])), named("s-1"));
    for unusable in [json!(""), json!(7), json!("x".repeat(257))] {
        assert_eq!(default(&claims_with(&[("sid", unusable)])), named("t-1"));
    }
    assert_eq!(name(json!("sub"), &claims()), named("ci-job-7"));
    assert_eq!(name(json!(["sub", "team"]), &claims()), named("ci-job-7#build"));
    let nested = claims_with(&[("kubernetes.io", json!({"pod": {"uid": "u-1"}}))]);
    assert_eq!(name(json!("/kubernetes.io/pod/uid"), &nested), named("u-1"));
    // Two lists of texts never make one name.
    let odd = |a: &str, b: &str| {
        name(json!(["sub", "team"]), &claims_with(&[("sub", json!(a)), ("team", json!(b))]))
    };
    assert_ne!(odd("a#b", "c"), odd("a", "b#c"));
    assert_ne!(odd("a%23b", "c"), odd("a#b", "c"));
}

#[test]
fn a_token_without_the_claims_of_id_is_refused() {
    for missing in [claims_without("team"), claims_with(&[("team", json!(7))])] {
        assert_eq!(name(json!("team"), &missing), Err(Refusal::Name));
        assert_eq!(name(json!(["sub", "team"]), &missing), Err(Refusal::Name));
    }
    let long = claims_with(&[("team", json!("x".repeat(1025)))]);
    assert_eq!(name(json!("team"), &long), Err(Refusal::Name));
}

#[test]
fn only_an_id_that_does_not_need_them_lets_jti_and_sub_be_missing() {
    for claim in ["jti", "sub"] {
        let token = claims_without(claim);
        assert!(name(json!("team"), &token).is_ok(), "{claim}");
        assert!(name(json!("token_digest"), &token).is_ok(), "{claim}");
        let default = Pair::new(Algorithm::EdDsa);
        assert_eq!(default.claims(&token).unwrap_err(), Refusal::Claims(claim));
        // What is there is a text all the same.
        let wrong = claims_with(&[(claim, json!(7))]);
        assert_eq!(name(json!("team"), &wrong), Err(Refusal::Claims(claim)));
    }
}

/// Whoever has an ES256 token can write its signature in a second way: `(r, n - s)` fits as well.
#[test]
fn a_second_signature_of_one_token_names_the_same_session() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let key = key(Algorithm::Es256);
    let verifier = with(&key, named(json!("token_digest")));
    let token = key.sign(&claims()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let parsed = p256::ecdsa::Signature::from_slice(&bytes).unwrap();
    let (r, s) = parsed.split_scalars();
    let bent = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    let other = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bent.to_bytes()));
    assert_ne!(token, other);
    let id = |token: &str| verifier.verify(token.as_bytes(), NOW).unwrap().id().to_owned();
    assert_eq!(id(&token), id(&other));
    let second = key.sign(&claims_with(&[("jti", json!("t-2"))])).unwrap();
    assert_ne!(id(&token), id(&second));
}

#[test]
fn a_session_ends_with_its_token_or_with_max_lifetime() {
    let key = key(Algorithm::EdDsa);
    let year = claims_with(&[("exp", json!(IAT + 365 * 86_400))]);
    let at = |max_lifetime: u64, now: u64| {
        let verifier = with(&key, |rules| rules.max_lifetime = max_lifetime);
        verifier
            .verify(key.sign(&year).unwrap().as_bytes(), now)
            .map(|session| session.expires_at())
    };
    assert_eq!(at(3600, IAT + 3599), Ok(IAT + 3600));
    assert_eq!(at(3600, IAT + 3600), Err(Refusal::Lifetime));
    assert_eq!(at(7200, IAT + 3600), Ok(IAT + 7200));
    assert_eq!(at(u64::MAX, IAT + 1), Ok(IAT + LIFETIME_CEILING));
    assert_eq!(at(u64::MAX, IAT + LIFETIME_CEILING), Err(Refusal::Lifetime));
    let session = verify(&with(&key, |_| {}), &key, &claims()).unwrap();
    assert_eq!(session.expires_at(), EXP, "the sooner of the two");
    let forever = claims_with(&[("exp", json!(u64::MAX))]);
    let session = verify(&with(&key, |_| {}), &key, &forever).unwrap();
    assert_eq!(session.expires_at(), IAT + 3600);
}

#[test]
fn algorithms_audiences_and_required_claims_are_the_issuers() {
    let key = key(Algorithm::EdDsa);
    let outcome = |change: fn(&mut Rules), claims: &Value| {
        verify(&with(&key, change), &key, claims).map(|_| ())
    };
    assert_eq!(outcome(|rules| rules.algorithms = vec![Algorithm::EdDsa], &claims()), Ok(()));
    let other = outcome(|rules| rules.algorithms = vec![Algorithm::Es256], &claims());
    assert_eq!(other, Err(Refusal::Algorithm));
    let two: fn(&mut Rules) = |rules| rules.audiences = vec!["other".into(), AUDIENCE.into()];
    assert_eq!(outcome(two, &claims()), Ok(()));
    assert_eq!(outcome(two, &claims_with(&[("aud", json!(["x", "other"]))])), Ok(()));
    assert_eq!(outcome(two, &claims_with(&[("aud", json!("x"))])), Err(Refusal::Audience));
    let team: fn(&mut Rules) = |rules| {
        rules.required_claims = serde_json::from_value(json!({"team": ["build"]})).unwrap();
    };
    assert_eq!(outcome(team, &claims()), Ok(()));
    assert_eq!(outcome(team, &claims_without("team")), Err(Refusal::Required));
    assert_eq!(outcome(team, &claims_with(&[("team", json!("ops"))])), Err(Refusal::Required));
}

#[test]
fn a_token_chooses_its_issuer_by_iss_alone() {
    let key = key(Algorithm::EdDsa);
    let rules = ["https://a.example", "https://b.example"].map(|issuer| Rules::new(issuer, "x"));
    let chosen = |iss: Value| {
        let token = key.sign(&claims_with(&[("iss", iss)])).unwrap();
        UnverifiedJwt::read(token.as_bytes()).unwrap().choose(&rules)
    };
    assert_eq!(chosen(json!("https://b.example")), Ok(1));
    assert_eq!(chosen(json!("https://b.example/")), Err(Refusal::Issuer));
    for unusable in [json!(""), json!(1), json!(null), json!(["https://a.example"])] {
        assert_eq!(chosen(unusable), Err(Refusal::Claims("iss")));
    }
}

#[test]
fn rules_that_cannot_hold_are_errors() {
    let of = |change: fn(&mut Rules)| {
        let mut rules = Rules::new(ISSUER, AUDIENCE);
        change(&mut rules);
        rules.errors().into_iter().map(|error| error.field).collect::<Vec<_>>()
    };
    assert_eq!(of(|_| {}), Vec::<String>::new());
    assert_eq!(of(|rules| rules.issuer = String::new()), ["issuer"]);
    assert_eq!(of(|rules| rules.issuer = "https://a.example#b".into()), ["issuer"]);
    assert_eq!(of(|rules| rules.audiences = Vec::new()), ["audiences"]);
    assert_eq!(of(|rules| rules.audiences.push(String::new())), ["audiences[1]"]);
    assert_eq!(of(|rules| rules.algorithms = Vec::new()), ["algorithms"]);
    assert_eq!(of(|rules| rules.max_lifetime = 0), ["max_lifetime"]);
    assert_eq!(of(|rules| rules.max_lifetime = LIFETIME_CEILING + 1), ["max_lifetime"]);
    let (one, other) = (Rules::new("a", "x"), Rules::new("b", "x"));
    assert!(errors_between(&[&one, &other]).is_empty());
    let twice = errors_between(&[&one, &other, &one]);
    assert_eq!(twice.first().map(|(place, _)| *place), Some(2));
    for id in [json!([]), json!(""), json!("/"), json!("/a~2"), json!(7), json!([7])] {
        assert!(serde_json::from_value::<SessionName>(id.clone()).is_err(), "{id}");
    }
}
