//! The claims of a session that a policy's destinations are for.

use serde_json::{Map, Value, json};

/// Claims of which a token has one value. The first that a condition allows has to do.
const SINGLE: [&str; 2] = ["sub", "jti"];
/// Claims that are the control plane's own; a condition on them changes no token.
const OWN: [&str; 5] = ["iss", "aud", "iat", "nbf", "exp"];

/// Claims that meet the conditions of every destination: for each claim named, an array of values that fit.
/// Where two conditions contradict each other (`/team/name`, and `team`), the first is met.
pub fn claims_for(policy: &Value) -> Value {
    let mut claims = json!({});
    let destinations = policy.get("destinations").and_then(Value::as_array);
    for destination in destinations.into_iter().flatten() {
        let conditions = destination.pointer("/sessions/claims").and_then(Value::as_object);
        for (name, values) in conditions.into_iter().flatten() {
            let path = claim_path(name);
            let examples = values.as_array().into_iter().flatten().map(example).collect();
            insert(&mut claims, &path, examples);
        }
    }
    let Value::Object(mut claims) = claims else { return json!({}) };
    claims.retain(|name, _| !OWN.contains(&name.as_str()));
    for name in SINGLE {
        if let Some(claim) = claims.get_mut(name)
            && let Some(first) = claim.get(0).cloned()
        {
            *claim = first;
        }
    }
    Value::Object(claims)
}

/// The name of a claim at the top, or the steps of a JSON Pointer (RFC 6901).
fn claim_path(name: &str) -> Vec<String> {
    match name.strip_prefix('/') {
        None => vec![name.to_owned()],
        Some(steps) => {
            steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
        }
    }
}

fn insert(claims: &mut Value, path: &[String], examples: Vec<Value>) {
    let Some((step, below)) = path.split_first() else {
        return match claims {
            Value::Array(values) => values.extend(examples),
            // `null` is what was not there before.
            Value::Null => *claims = Value::Array(examples),
            _ => {}
        };
    };
    if claims.is_null() {
        *claims = Value::Object(Map::new());
    }
    if let Value::Object(members) = claims {
        insert(members.entry(step.clone()).or_insert(Value::Null), below, examples);
    }
}

/// A value that fits: a text with stars is a glob, and a backslash in it makes the next character plain.
fn example(wanted: &Value) -> Value {
    let Some(glob) = wanted.as_str().filter(|text| text.contains('*')) else {
        return wanted.clone();
    };
    let mut text = String::new();
    let mut chars = glob.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '*' => {
                while chars.next_if_eq(&'*').is_some() {}
                text.push_str("example");
            }
            '\\' => text.extend(chars.next()),
            char => text.push(char),
        }
    }
    Value::String(text)
}

#[cfg(test)]
mod tests {
    use session::ClaimConditions;

    use super::*;

    fn policy(conditions: &[Value]) -> Value {
        let destinations: Vec<_> =
            conditions.iter().map(|claims| json!({"sessions": {"claims": claims}})).collect();
        json!({"destinations": destinations})
    }

    /// By the code of the edge and of custody.
    #[test]
    fn claims_meet_the_conditions_of_every_destination() {
        let conditions = [
            json!({"team": ["build", "ops"], "level": [3, 2.5], "trusted": [true]}),
            json!({"team": ["demo"], "https://example.com/roles": ["admin"]}),
            json!({"/kubernetes.io/namespace": ["build"], "/kubernetes.io/pod/name": ["*-runner"]}),
            json!({"/kubernetes.io/a~1b/~0": [1], "/groups/0": ["staff"]}),
            json!({"ref": ["repo:acme/*:ref:refs/heads/**"], "literal": ["\\*", "a\\*b*"]}),
            json!({"sub": ["system:serviceaccount:ci:*", "other"]}),
        ];
        let claims = claims_for(&policy(&conditions));
        let claims = claims.as_object().unwrap();
        for written in conditions {
            let conditions: ClaimConditions = serde_json::from_value(written.clone()).unwrap();
            assert!(conditions.met_by_unverified(claims), "{written}: {claims:?}");
        }
        assert_eq!(claims["sub"], "system:serviceaccount:ci:example", "a token has one");
    }

    #[test]
    fn claims_of_the_control_plane_stay_its_own() {
        let issuers = json!({"iss": ["https://a.example", "https://b.example"], "aud": ["x"]});
        assert_eq!(claims_for(&policy(&[issuers])), json!({}));
    }

    #[test]
    fn conditions_that_contradict_each_other_keep_the_first() {
        let (inner, top) = (json!({"/team/name": ["a"]}), json!({"team": ["b"]}));
        let name = json!({"team": {"name": ["a"]}});
        assert_eq!(claims_for(&policy(&[inner.clone(), top.clone()])), name);
        assert_eq!(claims_for(&policy(&[top, inner])), json!({"team": ["b"]}));
    }
}
