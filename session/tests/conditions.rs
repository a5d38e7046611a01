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
        json!({"level": [3.0]}),
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
    assert_eq!(conditions(json!({"b": [1], "a": [2]})).names().collect::<Vec<_>>(), ["a", "b"]);
}
