//! Every refusal under every algorithm, each beside a twin that is accepted.
#![allow(clippy::unwrap_used, clippy::too_many_lines)]

mod support;

use serde_json::{Value, json};
use session::{Algorithm, Refusal};
use support::*;

/// What, the spoiled claims, the refusal, and the nearest claims that pass.
type ClaimCase = (&'static str, Value, Refusal, Value);

fn one(name: &'static str, value: Value) -> Value {
    claims_with(&[(name, value)])
}

fn span(iat: u64, exp: u64) -> Value {
    claims_with(&[("iat", json!(iat)), ("exp", json!(exp))])
}

fn claim_cases() -> Vec<ClaimCase> {
    let good = claims();
    let mut cases = vec![
        (
            "iss of another",
            one("iss", json!("https://evil.example")),
            Refusal::Issuer,
            good.clone(),
        ),
        (
            "iss in capitals",
            one("iss", json!(ISSUER.to_uppercase())),
            Refusal::Issuer,
            good.clone(),
        ),
        ("iss and a slash", one("iss", json!(format!("{ISSUER}/"))), Refusal::Issuer, good.clone()),
        ("aud of another", one("aud", json!("other")), Refusal::Audience, good.clone()),
        ("aud a prefix", one("aud", json!("leasehold")), Refusal::Audience, good.clone()),
        (
            "aud array without us",
            one("aud", json!(["a", "b"])),
            Refusal::Audience,
            one("aud", json!(["a", AUDIENCE])),
        ),
        (
            "aud empty array",
            one("aud", json!([])),
            Refusal::Audience,
            one("aud", json!([AUDIENCE])),
        ),
        (
            "aud array with a number",
            one("aud", json!([AUDIENCE, 1])),
            Refusal::Claims("aud"),
            good.clone(),
        ),
        ("aud an object", one("aud", json!({"a": AUDIENCE})), Refusal::Claims("aud"), good.clone()),
        ("expired at exp", span(NOW - 60, NOW), Refusal::Expired, span(NOW - 60, NOW + 1)),
        (
            "iat over the leeway",
            span(NOW + LEEWAY + 1, NOW + 600),
            Refusal::NotYetValid,
            span(NOW + LEEWAY, NOW + 600),
        ),
        (
            "nbf over the leeway",
            one("nbf", json!(NOW + LEEWAY + 1)),
            Refusal::NotYetValid,
            one("nbf", json!(NOW + LEEWAY)),
        ),
        ("life of 0 s", span(NOW, NOW), Refusal::Lifetime, span(NOW, NOW + 1)),
        ("exp before iat", span(NOW, NOW - 1), Refusal::Lifetime, span(NOW - 1, NOW + 1)),
        (
            "both at the end of u64",
            span(u64::MAX - 10, u64::MAX),
            Refusal::NotYetValid,
            good.clone(),
        ),
        (
            "nbf at the end of u64",
            one("nbf", json!(u64::MAX)),
            Refusal::NotYetValid,
            one("nbf", json!(0)),
        ),
    ];
    for name in ["iss", "aud", "sub", "jti", "exp", "iat"] {
        cases.push(("missing", claims_without(name), Refusal::Claims(name), good.clone()));
    }
    for name in ["iss", "sub", "jti"] {
        for wrong in [json!(null), json!(""), json!(7), json!(true), json!(["x"]), json!({})] {
            cases.push((
                "wrong type of text",
                one(name, wrong),
                Refusal::Claims(name),
                good.clone(),
            ));
        }
    }
    for name in ["exp", "iat", "nbf"] {
        let text = json!(EXP.to_string());
        for wrong in [text, json!(-0.5), json!(-1), json!(null), json!(true), json!([EXP])] {
            cases.push((
                "wrong type of time",
                one(name, wrong),
                Refusal::Claims(name),
                good.clone(),
            ));
        }
    }
    cases
}

fn check_claim_cases(algorithm: Algorithm) {
    let pair = Pair::new(algorithm);
    for (what, spoiled, refusal, twin) in claim_cases() {
        let shown = format!("{what}: {spoiled}");
        assert_eq!(refused(pair.claims(&spoiled), &shown), refusal, "{shown}");
        if let Err(refusal) = pair.claims(&twin) {
            panic!("the twin of {what} was refused: {refusal}: {twin}");
        }
    }
}

#[test]
fn claims_under_eddsa() {
    check_claim_cases(Algorithm::EdDsa);
}

#[test]
fn claims_under_es256() {
    check_claim_cases(Algorithm::Es256);
}

#[test]
fn claims_under_rs256() {
    check_claim_cases(Algorithm::Rs256);
}

#[test]
fn numbers_as_they_may_be_written() {
    let pair = Pair::new(Algorithm::EdDsa);
    let text = |exp: &str| {
        claims().to_string().replace(&format!("\"exp\":{EXP}"), &format!("\"exp\":{exp}"))
    };
    for exp in ["1700000900", "1700000900.0", "1.7000009e9", "17000009E2", "1700000900.75"] {
        assert!(pair.payload_text(&text(exp)).is_ok(), "{exp}");
    }
    for exp in ["1e99", "9007199254740992.0", "18446744073709551616", "-0.25"] {
        assert_eq!(refused(pair.payload_text(&text(exp)), exp), Refusal::Claims("exp"), "{exp}");
    }
    for exp in ["01700000900", "+1700000900", "0x65", "1e999", "NaN", "\"\\ud800\""] {
        assert_eq!(refused(pair.payload_text(&text(exp)), exp), Refusal::Malformed, "{exp}");
    }
}

/// No token lives longer for its fraction: `exp` is rounded down, `nbf` and `iat` up.
#[test]
fn fractions_of_a_second_never_lengthen_a_session() {
    let pair = Pair::new(Algorithm::EdDsa);
    let with = |name, date: f64| pair.claims(&claims_with(&[(name, json!(date))]));
    let now = NOW as f64;
    assert!(with("exp", now + 1.5).is_ok());
    assert_eq!(with("exp", now + 0.9).unwrap_err(), Refusal::Expired);
    for name in ["iat", "nbf"] {
        let latest = now + LEEWAY as f64;
        assert!(with(name, latest - 0.5).is_ok(), "{name}");
        assert_eq!(with(name, latest + 0.5).unwrap_err(), Refusal::NotYetValid, "{name}");
    }
}

#[test]
fn payloads_that_are_no_strict_json_object() {
    let pair = Pair::new(Algorithm::EdDsa);
    let good = claims().to_string();
    assert!(pair.payload_text(&good).is_ok());
    assert!(pair.payload_text(&format!(" {good}\n")).is_ok());
    let inner = good.trim_end_matches('}');
    let twice = [
        format!("{inner},\"exp\":{EXP}}}"),
        format!("{inner},\"\\u0065xp\":{EXP}}}"),
        format!("{inner},\"deep\":[{{\"a\":1,\"a\":1}}]}}"),
    ];
    let other = [
        "[]".to_owned(),
        "null".to_owned(),
        "1".to_owned(),
        "{".to_owned(),
        " ".to_owned(),
        format!("{good}{good}"),
        format!("{good},"),
        format!("\u{feff}{good}"),
        format!("{inner},}}"),
        "[".repeat(4000),
    ];
    for payload in twice.iter().chain(&other) {
        assert_eq!(refused(pair.payload_text(payload), payload), Refusal::Malformed, "{payload}");
    }
}

#[test]
fn the_first_broken_rule_names_the_refusal() {
    let pair = Pair::new(Algorithm::EdDsa);
    let all_wrong = claims_with(&[
        ("iss", json!("x")),
        ("aud", json!("x")),
        ("iat", json!(5)),
        ("exp", json!(6)),
    ]);
    assert_eq!(refused(pair.claims(&all_wrong), "all"), Refusal::Issuer);
    let stranger = key(Algorithm::EdDsa).sign(&all_wrong).unwrap();
    assert_eq!(refused(pair.check(&stranger), "stranger"), Refusal::Signature);
}

#[test]
fn a_verified_session_shows_its_claims_to_code_and_not_to_logs() {
    let session = Pair::new(Algorithm::EdDsa).claims(&claims()).unwrap();
    assert_eq!(session.issuer(), ISSUER);
    assert_eq!(session.subject(), Some("ci-job-7"));
    assert_eq!(session.jwt_id(), Some("t-1"));
    assert_eq!((session.issued_at(), session.expires_at()), (IAT, EXP));
    assert_eq!(session.claim("sub"), Some(&json!("ci-job-7")));
    assert_eq!(session.claim("team"), Some(&json!("build")));
    assert_eq!(session.claim("none"), None);
    assert_eq!(format!("{session:?}"), "Session(..)");
}

#[test]
fn time_is_checked_again_for_a_kept_session() {
    let pair = Pair::new(Algorithm::EdDsa);
    let session = pair.claims(&claims()).unwrap();
    let at = |now| pair.verifier.check_time(&session, now);
    assert_eq!(at(EXP - 1), Ok(()));
    assert_eq!(at(EXP), Err(Refusal::Expired));
    assert_eq!(at(u64::MAX), Err(Refusal::Expired));
    assert_eq!(at(IAT - LEEWAY), Ok(()));
    assert_eq!(at(IAT - LEEWAY - 1), Err(Refusal::NotYetValid));
    assert_eq!(at(0), Err(Refusal::NotYetValid));
}

#[test]
fn leeway_is_cut_to_its_ceiling() {
    let key = key(Algorithm::EdDsa);
    let keys = session::KeySet::from_jwks(&key.public_jwks()).unwrap();
    let rules = |leeway| session::Rules { leeway, ..session::Rules::new(ISSUER, AUDIENCE) };
    let token = key.sign(&claims()).unwrap();
    let at = |leeway, now| {
        session::Verifier::new(rules(leeway), keys.clone()).verify(token.as_bytes(), now).err()
    };
    assert_eq!(at(0, IAT), None);
    assert_eq!(at(0, IAT - 1), Some(Refusal::NotYetValid));
    assert_eq!(at(u64::MAX, IAT - session::LEEWAY_CEILING), None);
    assert_eq!(at(u64::MAX, IAT - session::LEEWAY_CEILING - 1), Some(Refusal::NotYetValid));
    // No leeway makes a token last longer.
    assert_eq!([at(0, EXP - 1), at(u64::MAX, EXP - 1)], [None; 2]);
    assert_eq!([at(0, EXP), at(u64::MAX, EXP)], [Some(Refusal::Expired); 2]);
}

#[test]
fn codes_are_stable_and_listed() {
    let all = [
        Refusal::TooLarge,
        Refusal::Malformed,
        Refusal::Algorithm,
        Refusal::UnknownKey,
        Refusal::Signature,
        Refusal::Issuer,
        Refusal::Audience,
        Refusal::Expired,
        Refusal::NotYetValid,
        Refusal::Lifetime,
        Refusal::Claims("exp"),
    ];
    assert_eq!(all.map(|refusal| refusal.code()), Refusal::CODES);
    assert_eq!(Refusal::Claims("exp").to_string(), "claim exp is missing or of the wrong type");
}
