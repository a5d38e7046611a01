use super::*;
use crate::policy::carrier::Carrier;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn good() -> Value {
    json!({
        "session": {
            "issuer": "https://cp.example",
            "audience": "edge",
            "keys": {"jwks": {"keys": [
                {"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            ]}},
        },
        "custody": {"cluster": "custody"},
        "destinations": [destination("github", "api.github.com", "gh")],
    })
}

fn destination(name: &str, host: &str, handle: &str) -> Value {
    json!({
        "name": name,
        "hosts": [host],
        "allow": [{"methods": ["GET"], "paths": ["/**"]}],
        "credential": {"handle": handle},
    })
}

fn errors(config: &Value) -> Vec<String> {
    errors_in(&config.to_string())
}

pub(super) fn errors_in(text: &str) -> Vec<String> {
    match Config::read(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn errors_with(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut config = good();
    change(&mut config);
    errors(&config)
}

#[test]
fn rewritten_links_need_a_name_and_a_scheme_of_the_gateway() {
    let with = |gateway: Value| {
        errors_with(|config| {
            config["posture"] = json!("gateway");
            config["gateway"] = gateway;
        })
    };
    let own = json!(["edge.internal:8080"]);
    assert_eq!(with(json!({"authorities": own, "rewrite_links": "https"})), [""; 0]);
    assert_eq!(
        with(json!({"rewrite_links": "http"})),
        ["gateway.rewrite_links: needs gateway.authorities, the names that links get"]
    );
    for scheme in [json!("ftp"), json!(true)] {
        let errors = with(json!({"authorities": own, "rewrite_links": scheme}));
        assert!(errors[0].starts_with("gateway.rewrite_links: "), "{errors:?}");
    }
}

#[test]
fn a_good_configuration_and_its_defaults() {
    let policy = Config::read(good().to_string().as_bytes()).unwrap();
    assert_eq!(policy.ingress.posture, Posture::Explicit);
    assert_eq!(policy.carriers, [Carrier::ProxyAuthorization]);
    assert_eq!(policy.custody.unwrap().timeout, Duration::from_secs(2));
}

#[test]
fn every_mistake_at_once() {
    let mut config = good();
    config["custody"]["timeout"] = json!("1 hour");
    config["session"]["keys"]["jwks"]["keys"][0]["alg"] = json!("HS256");
    config["destinations"][0]["credential"]["handle"] = json!("../etc");
    let mut second = destination("github", "*.com", "x");
    second["ports"] = json!([0, 80]);
    second["allow"][0]["methods"] = json!(["get", "CONNECT"]);
    second["allow"][0]["paths"] = json!(["/a/../b", "b"]);
    config["destinations"].as_array_mut().unwrap().push(second);
    config["destinations"].as_array_mut().unwrap().push(json!({"name": "x", "host": []}));
    let found = errors(&config).join("\n");
    for expected in [
        "custody.timeout: from 10ms to 30s",
        "session.keys.jwks.keys[0].alg: ",
        "destinations[0].credential.handle: a handle is",
        "destinations[1].hosts[0]: \"*.com\" covers a public suffix",
        "destinations[1].ports[0]: a port is",
        "destinations[1].ports[1]: port 80 is plain HTTP",
        "destinations[1].allow[0].methods[0]: \"get\" is not a valid method",
        "destinations[1].allow[0].methods[1]: CONNECT cannot be allowed",
        "destinations[1].allow[0].paths[0]: \"/a/../b\" matches no path",
        "destinations[1].allow[0].paths[1]: \"b\" matches no path",
        "destinations[2].host: unknown field `host`",
    ] {
        assert!(found.contains(expected), "{expected}\n--- in ---\n{found}");
    }
}

#[test]
fn what_is_no_configuration_is_said_with_its_place() {
    for (text, expected) in [
        ("", "configuration: EOF while parsing"),
        ("[]", "configuration: expected "),
        ("{}", "session: is missing"),
        ("{\"a\": 1}", "unknown field `a`"),
        ("{\"posture\": \"transparent\"}", "posture: unknown variant"),
        ("{\"session\": 1, \"session\": 2}", "duplicate field `session`"),
        ("{} {}", "configuration: trailing characters"),
    ] {
        let found = errors_in(text).join("\n");
        assert!(found.contains(expected), "{text}: {found}");
    }
    let twice = good().to_string().replace("\"cluster\"", "\"cluster\":\"a\",\"cluster\"");
    assert!(errors_in(&twice)[0].contains("duplicate field `cluster`"));
}

#[test]
fn a_value_is_never_repeated() {
    for found in [
        errors_with(|config| config["destinations"][0]["ports"] = json!(["sk-secret"])),
        errors_with(|config| config["custody"] = json!("sk-secret")),
        errors_with(|config| config["custody"]["timeout"] = json!("sk-secret")),
        errors_with(|config| {
            config["session"]["keys"]["jwks"]["keys"][0]["x"] = json!("sk-secret")
        }),
        errors_with(|config| config["session"]["issuer"] = json!(["sk-secret"])),
    ] {
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].contains("sk-secret"), "{found:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(
        errors_with(|config| _ = config.as_object_mut().unwrap().remove("custody")),
        ["custody: is missing, and a destination has a credential"]
    );
    assert_eq!(
        errors_with(|config| _ = config["session"].as_object_mut().unwrap().remove("issuer")),
        ["session.issuer: is missing; write issuer, audience and keys, or issuers"]
    );
    for field in ["hosts", "ports"] {
        let found = errors_with(|config| config["destinations"][0][field] = json!([]));
        assert_eq!(
            found,
            [format!("destinations[0].{field}: an empty list allows nothing; name at least one")]
        );
    }
}

#[test]
fn only_headers_of_the_guests_own_carry_sessions() {
    let with = |carriers: Value| errors_with(|config| config["session"]["carriers"] = carriers);
    assert_eq!(with(json!(["authorization", {"header": "x-api-key"}])), [""; 0]);
    for bad in ["X-Api-Key", "", "host", "connection", "a b", ":path", "authorization", "x-envoy-a"]
    {
        let found = with(json!([{"header": bad}]));
        assert!(found[0].starts_with("session.carriers[0].header: "), "{bad}: {found:?}");
    }
    assert_eq!(with(json!([])).len(), 1);
}

#[test]
fn two_credentials_for_one_request_are_an_error() {
    let pair = |change: fn(&mut Value)| {
        errors_with(|config| {
            let mut second = destination("second", "api.github.com", "other");
            change(&mut second);
            config["destinations"].as_array_mut().unwrap().push(second);
        })
    };
    let conflict =
        "destinations[1]: matches requests that \"github\" matches too, with another credential";
    assert_eq!(pair(|_| {}), [conflict]);
    assert_eq!(pair(|d| d["hosts"] = json!(["*.github.com"])), [conflict]);
    assert_eq!(pair(|d| d["allow"][0]["paths"] = json!(["/repos/*"])), [conflict]);
    assert_eq!(pair(|d| _ = d.as_object_mut().unwrap().remove("credential")), [conflict]);
    assert_eq!(pair(|d| d["credential"]["handle"] = json!("gh")), [""; 0]);
    assert_eq!(pair(|d| d["hosts"] = json!(["github.com"])), [""; 0]);
    assert_eq!(pair(|d| d["ports"] = json!([8443])), [""; 0]);
    assert_eq!(pair(|d| d["allow"][0]["methods"] = json!(["POST"])), [""; 0]);
    assert_eq!(pair(|d| d["name"] = json!("github")).len(), 2);
}

#[test]
fn the_order_of_two_overlapping_entries_does_not_matter() {
    let found = errors_with(|config| {
        config["destinations"] = json!([
            destination("wide", "*.github.com", "a"),
            destination("narrow", "x.api.github.com", "b"),
            destination("between", "*.api.github.com", "c"),
        ]);
    });
    let paths: Vec<_> = found.iter().map(|e| e.split(':').next().unwrap()).collect();
    assert_eq!(paths, ["destinations[1]", "destinations[2]"]);
}

#[test]
fn exclusive_claims_may_share_a_host() {
    let teams = |a: Value, b: Value| {
        errors_with(|config| {
            let mut second = destination("second", "api.github.com", "other");
            second["sessions"] = json!({"claims": {"team": b}});
            config["destinations"][0]["sessions"] = json!({"claims": {"team": a}});
            config["destinations"].as_array_mut().unwrap().push(second);
        })
    };
    assert_eq!(teams(json!(["build"]), json!(["ops"])), [""; 0]);
    assert_eq!(teams(json!(["build", "ops"]), json!(["ops"])).len(), 1);
}

#[cfg(feature = "schema")]
#[test]
fn the_schema_names_every_section() {
    let schema = serde_json::to_value(Config::schema()).unwrap();
    for section in ["posture", "gateway", "session", "custody", "destinations"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
}

#[test]
fn keys_are_here_or_where_they_are_fetched() {
    let keys = |keys: Value| errors_with(|config| config["session"]["keys"] = keys);
    let fetched = json!({
        "cluster": "issuer", "path": "/.well-known/jwks.json", "authority": "keys.cp.example",
        "refresh": "1m", "keep": "12h", "timeout": "500ms",
    });
    assert!(keys(fetched.clone()).is_empty());
    assert!(keys(json!({"cluster": "issuer", "path": "/jwks.json"})).is_empty());
    for neither in [
        json!({}),
        json!({"cluster": "issuer"}),
        json!({"path": "/jwks.json"}),
        json!({"jwks": {"keys": []}, "cluster": "issuer", "path": "/"}),
        json!({"jwks": {"keys": []}, "refresh": "5m"}),
    ] {
        let found = keys(neither.clone());
        assert_eq!(
            found,
            ["session.keys: is either {jwks}, or {cluster, path} to fetch them"],
            "{neither}"
        );
    }
    for (field, value, message) in [
        ("cluster", json!(""), "name the Envoy cluster"),
        ("path", json!("jwks.json"), "is the path of a URL"),
        ("path", json!("/a b"), "is the path of a URL"),
        ("path", json!("/a#b"), "is the path of a URL"),
        ("authority", json!("a b"), ""),
        ("refresh", json!("500ms"), "from 1s to 1h"),
        ("refresh", json!("2h"), "from 1s to 1h"),
        ("keep", json!("10s"), "from 1m to 7d"),
        ("timeout", json!("1m"), "from 10ms to 30s"),
        ("timeout", json!(2), "expected"),
    ] {
        let mut wrong = fetched.clone();
        wrong[field] = value.clone();
        let [fault] = &keys(wrong)[..] else { panic!("{field}: {value}") };
        let expected = format!("session.keys.{field}: {message}");
        assert!(fault.starts_with(&expected), "{fault}");
    }
    let unnamed = errors_with(|config| {
        config["session"]["issuer"] = json!("control-plane");
        config["session"]["keys"] = json!({"cluster": "issuer", "path": "/"});
    });
    let expected = "session.keys.authority: is missing, and the issuer is not an https URL";
    assert_eq!(unnamed, [expected]);
}

#[test]
fn what_belongs_to_a_single_use_binding_needs_one() {
    let credential = |fields: Value| {
        errors_with(|config| {
            for (name, value) in fields.as_object().unwrap() {
                config["destinations"][0]["credential"][name] = value.clone();
            }
        })
    };
    for good in [
        json!({"binding": "session"}),
        json!({"binding": "single_use"}),
        json!({"binding": "single_use", "idempotency_key": "x-key"}),
        json!({"binding": "single_use", "body_digest": true, "max_body": 1}),
    ] {
        assert_eq!(credential(good.clone()), [""; 0], "{good}");
    }
    let at = "destinations[0].credential";
    for (bad, error) in [
        (json!({"body_digest": true}), ".body_digest: belongs to \"binding\": \"single_use\""),
        (
            json!({"idempotency_key": "k"}),
            ".idempotency_key: belongs to \"binding\": \"single_use\"",
        ),
        (
            json!({"binding": "single_use", "max_body": 5}),
            ".max_body: belongs to \"body_digest\": true",
        ),
        (
            json!({"binding": "single_use", "body_digest": true, "max_body": 0}),
            ".max_body: from 1 to 8388608 bytes",
        ),
        (
            json!({"binding": "single_use", "idempotency_key": "Key"}),
            ".idempotency_key: a header name in lower case, such as idempotency-key",
        ),
        (
            json!({"binding": "single_use", "idempotency_key": "cookie"}),
            ".idempotency_key: \"cookie\" holds secrets, and custody writes keys down",
        ),
    ] {
        assert_eq!(credential(bad), [format!("{at}{error}")]);
    }
}

#[test]
fn a_session_is_bound_by_a_value_or_a_property() {
    let bound = |bind: Value| errors_with(|config| config["session"]["bind"] = bind);
    assert_eq!(bound(json!({"claim": "c", "value": "web-1"})), [""; 0]);
    assert_eq!(bound(json!({"claim": "c", "property": ["filter_state", "x"]})), [""; 0]);
    let one = "session.bind: takes one of value and property";
    assert_eq!(bound(json!({"claim": "c"})), [one]);
    assert_eq!(bound(json!({"claim": "c", "value": "v", "property": ["p"]})), [one]);
    assert_eq!(
        bound(json!({"claim": "c", "value": ""})),
        ["session.bind.value: must not be empty"]
    );
    assert_eq!(
        bound(json!({"claim": "", "value": "v"})),
        ["session.bind.claim: is empty; write the name of a claim, or a JSON Pointer to it"]
    );
    for bad in [json!([]), json!([""])] {
        let property = "session.bind.property: a list of names, such as [filter_state, x]";
        assert_eq!(bound(json!({"claim": "c", "property": bad})), [property]);
    }
}

#[test]
fn a_policy_version_needs_a_printable_name_and_a_whole_generation() {
    let versioned = |version: Value| errors_with(|config| config["policy"] = version);
    assert_eq!(versioned(json!({"name": "egress", "generation": 7})), [""; 0]);
    let name = "policy.name: 1 to 64 printable ASCII characters, without spaces";
    for bad in ["", "two words", "l\n", &"x".repeat(65)] {
        assert_eq!(versioned(json!({"name": bad, "generation": 7})), [name], "{bad}");
    }
    let missing = ["policy: missing field `generation`"];
    assert_eq!(versioned(json!({"name": "egress"})), missing);
    let negative = versioned(json!({"name": "egress", "generation": -1}));
    assert_eq!(negative, ["policy.generation: expected u64"]);
}

#[test]
fn only_a_higher_generation_of_the_same_name_supersedes() {
    let version = |name: &str, generation| PolicyVersion { name: name.to_owned(), generation };
    let current = version("egress", 7);
    assert!(version("egress", 8).supersedes(&current));
    for other in [version("egress", 7), version("egress", 6), version("ingress", 8)] {
        assert!(!other.supersedes(&current), "{other:?}");
    }
}

#[test]
fn an_attribute_path_that_matches_nothing_is_refused_with_the_one_that_works() {
    let bound = |property: Value| {
        errors_with(|config| {
            config["session"]["bind"] = json!({"claim": "c", "property": property})
        })
    };
    for name in ["listener_metadata", "route_metadata", "cluster_metadata", "listener_direction"] {
        let error = format!(
            "session.bind.property: Envoy has no attribute [{name}, ...]; write [xds, {name}, ...]"
        );
        assert_eq!(bound(json!([name, "filter_metadata", "leasehold", "container"])), [error]);
        assert_eq!(bound(json!(["xds", name, "filter_metadata", "x", "y"])), [""; 0]);
    }
}
