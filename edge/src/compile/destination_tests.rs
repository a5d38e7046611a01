use super::tests::{errors_in, errors_with, good};
use serde_json::{Value, json};

#[test]
fn pattern_with_a_disputed_spelling_needs_its_word() {
    let rule = |paths: Value, syntax: Value| {
        errors_with(|config| {
            let rule = &mut config["destinations"][0]["allow"][0];
            (rule["paths"], rule["path_syntax"]) = (paths, syntax);
        })
    };
    assert_eq!(rule(json!(["/a%2Fb/*", "/c"]), json!(["encoded_slash"])), [""; 0]);
    let at = "destinations[0].allow[0]";
    assert_eq!(
        rule(json!(["/c", "/a%2Fb//*"]), json!(["parameters"])),
        [format!(
            "{at}.paths[1]: \"/a%2Fb//*\" needs path_syntax: [encoded_slash, empty_segments]"
        )]
    );
    let [unknown] = &rule(json!(["/c"]), json!(["dots"]))[..] else { panic!() };
    assert!(unknown.starts_with(&format!("{at}.path_syntax[0]: unknown variant")), "{unknown}");
}

#[test]
fn wildcard_of_a_shared_suffix_needs_its_word_beside_a_credential() {
    let with = |host: &str, change: fn(&mut Value)| {
        errors_with(|config| {
            config["destinations"][0]["hosts"] = json!([host]);
            change(&mut config["destinations"][0]);
        })
    };
    let shared =
        ["*.googleapis.com", "*.githubusercontent.com", "*.supabase.co", "*.blob.core.windows.net"];
    for host in shared {
        let [error] = &with(host, |_| {})[..] else { panic!("{host}") };
        let start =
            format!("destinations[0].hosts[0]: {host:?} covers a public suffix whose names");
        assert!(
            error.starts_with(&start) && error.ends_with("allow_shared_suffixes: true"),
            "{error}"
        );
        let word = |destination: &mut Value| destination["allow_shared_suffixes"] = json!(true);
        assert_eq!(with(host, word), [""; 0], "{host}");
        let bare = |destination: &mut Value| destination["credential"] = Value::Null;
        assert_eq!(with(host, bare), [""; 0], "{host}");
    }
    for host in ["*.com", "*.co.uk"] {
        let word = |destination: &mut Value| {
            destination["allow_shared_suffixes"] = json!(true);
            destination["credential"] = Value::Null;
        };
        let error = format!("destinations[0].hosts[0]: {host:?} covers a public suffix");
        assert_eq!(with(host, word), [error]);
    }
}

#[test]
fn rule_expects_parameters_and_headers_that_it_can_judge() {
    let rule = |field: &str, value: Value| {
        errors_with(|config| config["destinations"][0]["allow"][0][field] = value)
    };
    let all = json!({"state": ["open"], "_method": "absent", "filter[x]": "present"});
    assert_eq!(rule("query", all), [""; 0]);
    assert_eq!(rule("headers", json!({"x-api-version": ["1"], "x-debug": "absent"})), [""; 0]);
    let at = "destinations[0].allow[0]";
    let empty = format!("{at}.query.state: an empty list allows nothing; name at least one");
    assert_eq!(rule("query", json!({"state": []})), [empty]);
    for name in ["", "a&b", "a%20b", "a b"] {
        let [error] = &rule("query", json!({name: "absent"}))[..] else { panic!("{name}") };
        assert!(error.starts_with(&format!("{at}.query.{name}: a decoded name")), "{error}");
    }
    for name in ["X-Debug", ":path", ""] {
        let [error] = &rule("headers", json!({name: "absent"}))[..] else { panic!("{name}") };
        assert!(error.starts_with(&format!("{at}.headers.{name}: a header name")), "{error}");
    }
    for name in ["x-forwarded-for", "connection", "host"] {
        let [error] = &rule("headers", json!({name: "absent"}))[..] else { panic!("{name}") };
        assert!(error.starts_with(&format!("{at}.headers.{name}: the edge writes")), "{error}");
    }
    let [word] = &rule("query", json!({"state": "open"}))[..] else { panic!() };
    assert!(word.contains("a list of values, or one of the words present and absent"), "{word}");
}

/// serde would keep the last of the two, and the other condition would be lost.
#[test]
fn name_that_stands_twice_is_an_error_with_its_field() {
    let config = |field: &str, conditions: Value| {
        let mut config = good();
        config["destinations"][0]["allow"][0][field] = conditions;
        config.to_string()
    };
    let twice = |text: &str, name: &str| {
        let written = format!("\"{name}\":");
        assert_eq!(text.matches(&written).count(), 1, "{text}");
        errors_in(&text.replace(&written, &format!("\"{name}\":\"absent\",\"{name}\":")))
    };
    for (field, name) in [("query", "_method"), ("headers", "x-tenant")] {
        let written = config(field, json!({name: "present", "other": ["1"]}));
        assert_eq!(errors_in(&written), [""; 0]);
        let error =
            format!("destinations[0].allow[0].{field}: duplicate field `{name}`; write it once");
        assert_eq!(twice(&written, name), [error]);
    }
    let [error] = &twice(&good().to_string(), "crv")[..] else { panic!() };
    assert!(
        error.starts_with("session.keys") && error.ends_with("duplicate field `crv`"),
        "{error}"
    );
}

/// One round of mending is enough: what is wrong with an issuer hides nothing about the destinations.
#[test]
fn destination_without_iss_is_reported_whatever_is_wrong_with_the_issuers() {
    type Change = fn(&mut Value);
    let with = |change: Change| {
        errors_with(|config| {
            let keys = config["session"]["keys"].take();
            let issuer = |name: &str| json!({"issuer": name, "audiences": ["edge"], "keys": keys});
            config["session"] =
                json!({"issuers": [issuer("https://a.example"), issuer("https://b.example")]});
            config["destinations"][0]["sessions"] = json!({"claims": {"team": ["build"]}});
            change(&mut config["session"]);
        })
    };
    let missing = "destinations[0].sessions.claims: names no issuer, and session has several; \
                   add iss: [\"https://...\"]";
    assert_eq!(with(|_| {}), [missing]);
    let faults: [(&str, Change); 3] = [
        ("session.issuers[1].keys.jwks", |session| {
            session["issuers"][1]["keys"] = json!({"jwks": {"keys": []}});
        }),
        ("session.issuers[0].keys.path", |session| {
            session["issuers"][0]["keys"] = json!({"cluster": "issuer", "path": "x"});
        }),
        ("session.issuers[1].kyes", |session| session["issuers"][1]["kyes"] = json!({})),
    ];
    for (field, fault) in faults {
        let found = with(fault);
        assert!(found.iter().any(|error| error.starts_with(field)), "{field}: {found:?}");
        assert!(found.iter().any(|error| error == missing), "{field}: {found:?}");
    }
}
