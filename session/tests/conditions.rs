//! Claim conditions: met, not met, and not even readable.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use session::{Algorithm, ClaimConditions};
use support::*;

fn conditions(json: Value) -> ClaimConditions {
    serde_json::from_value(json).unwrap()
}

#[test]
fn every_named_claim_must_fit() {
    let pair = Pair::new(Algorithm::EdDsa);
    let session = pair
        .claims(&claims_with(&[
            ("level", json!(3)),
            ("admin", json!(true)),
            ("nothing", json!(null)),
            ("org", json!({"id": 7})),
            ("nested", json!([["a"]])),
            ("empty", json!([])),
        ]))
        .unwrap();
    let met = [
        json!({}),
        json!({"team": ["build"]}),
        json!({"team": ["ops", "build"]}),
        json!({"team": ["build"], "sub": ["ci-job-7"]}),
        json!({"roles": ["ops"]}),
        json!({"roles": [7]}),
        json!({"roles": [["ops", 7]]}),
        json!({"level": [3.0]}),
        json!({"level": [3], "admin": [true], "nothing": [null], "org": [{"id": 7}]}),
        json!({"nested": [["a"]]}),
    ];
    for json in met {
        assert!(conditions(json.clone()).met_by(&session), "{json}");
    }
    let unmet = [
        json!({"team": ["Build"]}),
        json!({"team": ["buil"]}),
        json!({"team": ["build"], "sub": ["ci-job-8"]}),
        json!({"absent": ["x"]}),
        json!({"absent": [null]}),
        json!({"roles": ["dev"]}),
        json!({"roles": ["7"]}),
        json!({"level": ["3"]}),
        json!({"admin": ["true"]}),
        json!({"nested": ["a"]}),
        json!({"empty": ["x", null]}),
        json!({"org": [7]}),
    ];
    for json in unmet {
        assert!(!conditions(json.clone()).met_by(&session), "{json}");
    }
}

#[test]
fn conditions_that_say_nothing_or_two_things_are_errors() {
    for (text, wanted) in [
        (r#"{"team": []}"#, "claim team lists no value"),
        (r#"{"team": ["a"], "team": ["b"]}"#, "claim team is named twice"),
        (r#"{"team": "build"}"#, "expected a sequence"),
        (r#"["team"]"#, "claims and the values they may have"),
    ] {
        let error = serde_json::from_str::<ClaimConditions>(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    assert!(conditions(json!({})).is_empty());
    assert!(!conditions(json!({"a": [1]})).is_empty());
}

fn meets(condition: Value, claims: &Value) -> bool {
    conditions(condition).met_by_unverified(claims.as_object().unwrap())
}

#[test]
fn claims_inside_others_are_named_by_a_json_pointer() {
    let claims = json!({
        "kubernetes.io": {"namespace": "build", "pod": {"name": "p"}, "a/b": {"~": 1}},
        "realm_access": {"roles": ["ops", "dev"]}, "list": [{"id": 7}, "x"], "/odd": "y",
        "https://example.com/team": "t", "": "empty",
    });
    for met in [
        json!({"/kubernetes.io/namespace": ["build"]}),
        json!({"/kubernetes.io/pod/name": ["p"]}),
        json!({"/kubernetes.io/a~1b/~0": [1]}),
        json!({"/realm_access/roles": ["ops"]}),
        json!({"/list/0/id": [7]}),
        json!({"/list/1": ["x"]}),
        json!({"/~1odd": ["y"]}),
        json!({"https://example.com/team": ["t"]}),
        json!({"/https:~1~1example.com~1team": ["t"]}),
    ] {
        assert!(meets(met.clone(), &claims), "{met}");
    }
    for unmet in [
        json!({"kubernetes.io/namespace": ["build"]}),
        json!({"/kubernetes.io/namespace/": ["build"]}),
        json!({"/kubernetes.io/namespace/0": ["build"]}),
        json!({"/realm_access/roles/2": ["ops"]}),
        json!({"/list/00/id": [7]}),
        json!({"/list/-": ["x"]}),
        json!({"/odd": ["y"]}),
    ] {
        assert!(!meets(unmet.clone(), &claims), "{unmet}");
    }
    for (text, wanted) in [
        (r#"{"": ["a"]}"#, "is empty"),
        (r#"{"/": ["a"]}"#, "names no claim"),
        (r#"{"/a~": ["a"]}"#, "has a ~ that is not"),
        (r#"{"team": ["a"], "/team": ["b"]}"#, "claim /team is named twice"),
    ] {
        let error = serde_json::from_str::<ClaimConditions>(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_star_stays_within_a_part_and_two_stars_do_not() {
    let sub = |glob: &str, sub: &str| meets(json!({"sub": [glob]}), &json!({"sub": sub}));
    let main = "repo:acme/*:ref:refs/heads/main";
    assert!(sub(main, "repo:acme/site:ref:refs/heads/main"));
    for other in [
        "repo:acme/site:ref:refs/heads/main2",
        "xrepo:acme/site:ref:refs/heads/main",
        "repo:evil/site:ref:refs/heads/main",
        "repo:acme/site/x:ref:refs/heads/main",
        // The name of an environment is what somebody chose.
        "repo:acme/site:environment:x:ref:refs/heads/main",
        "repo:acme/site:pull_request",
    ] {
        assert!(!sub(main, other), "{other}");
    }
    for (glob, text, fits) in [
        ("**", "a/b:c", true),
        ("*", "abc", true),
        ("*", "", true),
        ("*", "a/b", false),
        ("*", "a:b", false),
        ("repo:acme/**", "repo:acme/a:ref:refs/heads/x/y", true),
        ("refs/heads/**/x", "refs/heads/a/b/x", true),
        ("refs/heads/**/x", "refs/heads/x", false),
        ("a*b*c", "aXbXbYc", true),
        ("a*b*c", "aXbXbY", false),
        ("*é*", "aéb", true),
        (r"a\*", "a*", true),
        (r"a\*", "ab", false),
        (r"a\**", "a*bc", true),
        (r"\\*", r"\x", true),
        (r"a\b", r"a\b", true),
    ] {
        assert_eq!(sub(glob, text), fits, "{glob} {text}");
    }
    assert!(meets(json!({"roles": ["ops-*"]}), &json!({"roles": [1, "ops-a"]})));
    assert!(!meets(json!({"n": ["*"]}), &json!({"n": 7})), "a number is no text");
    for wrong in [r#"{"sub": ["a***"]}"#, r#"{"sub": ["*\\"]}"#] {
        assert!(serde_json::from_str::<ClaimConditions>(wrong).is_err(), "{wrong}");
    }
}

/// Quadratic at most: what a guest lets its issuer write cannot hold a worker.
#[test]
fn a_glob_of_many_stars_is_judged_at_once() {
    let begun = std::time::Instant::now();
    let glob = "**a".repeat(100);
    assert!(!meets(json!({"sub": [glob]}), &json!({"sub": "a".repeat(6000) + "b"})));
    assert!(begun.elapsed().as_secs() < 2);
}

#[test]
fn numbers_and_booleans_compare_by_their_value() {
    let claims = json!({"n": 3, "f": 3.0, "h": 1.5, "t": true, "big": u64::MAX});
    for met in [
        json!({"n": [3.0]}),
        json!({"f": [3]}),
        json!({"h": [1.5]}),
        json!({"t": [true]}),
        json!({"big": [u64::MAX]}),
    ] {
        assert!(meets(met.clone(), &claims), "{met}");
    }
    for unmet in [
        json!({"n": ["3"]}),
        json!({"n": [true]}),
        json!({"t": ["true"]}),
        json!({"t": [1]}),
        json!({"big": [u64::MAX - 1]}),
    ] {
        assert!(!meets(unmet.clone(), &claims), "{unmet}");
    }
}

#[test]
fn conditions_overlap_where_one_session_could_meet_both() {
    let overlap = |one: Value, other: Value| {
        let (one, other) = (conditions(one), conditions(other));
        assert_eq!(one.overlaps(&other), other.overlaps(&one));
        one.overlaps(&other)
    };
    let sub = |one: &str, other: &str| overlap(json!({"sub": [one]}), json!({"sub": [other]}));
    assert!(sub("repo:acme/*", "repo:acme/site"));
    assert!(!sub("repo:acme/*", "repo:acme/site:x"));
    assert!(!sub("repo:acme/*", "repo:other/*"));
    assert!(!sub("*:main", "*:dev"));
    assert!(sub("repo:*", "repo:acme/*"));
    assert!(!overlap(json!({"/team": ["a"]}), json!({"team": ["b"]})));
    assert!(overlap(json!({"team": ["a"]}), json!({"sub": ["b"]})));
}
