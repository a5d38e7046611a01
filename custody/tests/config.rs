//! The configuration, whatever somebody writes into it: never a panic, and what is wrong is named with
//! the path of its field.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use custody::config::{Config, Fault};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_yaml_ng::{Mapping, Value};
use std::path::Path;

/// Every section, and of what may be told in two ways, each.
const GOOD: [&str; 2] = [
    r#"
edge:
  listen: 127.0.0.1:8443
  tls: {certificate: server.pem, key: server.key, client_ca: ca.pem, client_names: [edge.internal]}
admin:
  listen: 127.0.0.1:8445
  tls: {certificate: server.pem, key: server.key, client_ca: operator-ca.pem}
workers:
  listen: 127.0.0.1:8446
  tls: {certificate: server.pem, key: server.key, client_ca: worker-ca.pem}
  capabilities:
    issuer: https://capabilities.example
    keys: {jwks: {keys: [{kty: OKP, crv: Ed25519, kid: c, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}}
health: {listen: 127.0.0.1:8444}
session:
  issuer: https://control-plane.example
  audience: leasehold-edge
  keys: {jwks: {keys: [{kty: OKP, crv: Ed25519, kid: k, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}}
  leeway: 30s
  idle: 15m
  absolute: 12h
store:
  path: custody.db
  root_key: root.key
  previous_root_keys: [root.old.key]
audit: {path: audit.jsonl}
backends:
  bao:
    type: openbao
    address: https://bao.internal:8200
    ca: bao-ca.pem
    identity: {certificate: us.pem, key: us.key}
    namespace: team
    timeout: 4s
    auth: {approle: {mount: approle, role_id_file: role-id, secret_id_file: secret-id}}
  corp:
    type: oauth2
    issuer: https://login.example
    client_id: custody
    client_secret: {handle: corp-client, actor: default}
  gh: {type: github_app, api: "https://api.github.com", app_id: "123", private_key: {handle: gh-key}}
credentials:
  llm:
    primary: {backend: bao, kv: {mount: kv, path: app/llm, version: 2}, field: key, type: bearer}
    backup: {backend: sealed}
  db: {primary: {backend: bao, dynamic: {path: database/creds/app}, type: basic}}
  api: {primary: {backend: corp, grant: client_credentials, scopes: [read], resources: ["https://a.example"], audience: api}}
  user: {primary: {backend: corp, grant: refresh_token, refresh_token: {handle: corp-refresh}}}
  ci: {primary: {backend: gh, installation: 42}}
grants:
  - handle: ci
    actor: default
    destinations: [api.github.com, "*.example.com:8443"]
    claims: {team: [build]}
    methods: [GET, HEAD]
    ttl: 5m
    binding: any
    purpose: release
    narrow: {scopes: [read], repositories: [site], permissions: {contents: read}}
limits: {per_session: 60/m, per_handle: 600/m, concurrent: 100, pollers: 100}
notify: {webhook: {url: "https://alerts.example/hook", ca: hook.pem, secret: {handle: hmac}}}
"#,
    r#"
edge: {listen: "[::1]:8443", plaintext: loopback-only}
health: {listen: 127.0.0.1:8444}
session:
  issuer: https://control-plane.example
  audience: leasehold-edge
  keys: {url: "https://control-plane.example/jwks", ca: issuer.pem, refresh: 5m, keep: 1d}
store:
  postgres: {url: "postgres://custody@db.internal/custody", ca: db.pem, connections: 16}
  signer: {transit: {backend: bao, mount: transit, key: leasehold}}
audit: {path: audit.jsonl}
backends:
  bao: {type: openbao, address: "https://bao.internal", auth: {jwt: {role: custody, jwt_file: jwt, mount: k8s}}}
  corp: {type: oauth2, token_endpoint: "https://login.example/token", client_id: custody, auth_method: private_key_jwt, private_key: {handle: key}, key_id: k}
credentials:
  api: {primary: {backend: corp, grant: token_exchange}}
"#,
];

const CASES: u32 = 500;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) }
}

fn parse(text: &str) -> Result<Config, Vec<Fault>> {
    Config::parse(text, Path::new("/nowhere"))
}

/// Words and numbers that mean something somewhere.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
        select(vec![
            "",
            ".",
            "..",
            "/",
            "off",
            "0s",
            "5m",
            "99999999999999999999d",
            "584942417355y",
            "1ms",
            "0/s",
            "18446744073709551615/s",
            "1/y",
            "127.0.0.1:65536",
            "[::]:0",
            "localhost:1",
            "*",
            "*.com",
            "a.example:0",
            "http://a.example",
            "https://",
            "https://a.example/?x#y",
            "https://u:p@a.example",
            "postgres://",
            "postgres://u:p@h/d",
            "bao",
            "corp",
            "sealed",
            "openbao",
            "a b",
            "é",
            "\u{0}",
            "~",
            "loopback-only",
            "single_use",
            "none",
        ])
        .prop_map(Value::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![
            "edge", "admin", "workers", "health", "session", "store", "audit", "backends",
            "credentials", "grants", "limits", "notify", "listen", "tls", "keys", "jwks", "url",
            "path", "postgres", "signer", "transit", "type", "auth", "primary", "backup",
            "backend", "handle", "claims", "destinations", "webhook", "secret",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

fn mapping(members: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Mapping(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..6).prop_map(mapping),
        ]
    })
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

/// The way to everything in it but itself.
fn ways(value: &Value) -> Vec<Vec<Step>> {
    let steps: Vec<(Step, &Value)> = match value {
        Value::Mapping(members) => {
            let member = |(name, value)| (Step::Member(text(name)), value);
            members.iter().map(member).collect()
        }
        Value::Sequence(items) => {
            items.iter().enumerate().map(|(at, item)| (Step::Item(at), item)).collect()
        }
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    for (step, inside) in steps {
        all.push(vec![step.clone()]);
        all.extend(ways(inside).into_iter().map(|rest| [vec![step.clone()], rest].concat()));
    }
    all
}

fn text(name: &Value) -> String {
    name.as_str().unwrap().to_owned()
}

fn at<'a>(value: &'a mut Value, way: &[Step]) -> &'a mut Value {
    way.iter().fold(value, |value, step| match step {
        Step::Member(name) => &mut value[name.as_str()],
        Step::Item(number) => &mut value[*number],
    })
}

#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Remove,
    /// Its name gets a letter more.
    Rename,
    /// It gets a member more, if it has members.
    Add(Value),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => scalar().prop_map(Change::Replace),
        1 => tree().prop_map(Change::Replace),
        1 => Just(Change::Remove),
        1 => Just(Change::Rename),
        1 => scalar().prop_map(Change::Add),
    ]
}

impl Change {
    fn make(&self, whole: &mut Value, way: &[Step]) {
        let (last, parents) = way.split_last().unwrap();
        match self {
            Self::Replace(value) => *at(whole, way) = value.clone(),
            Self::Add(value) => {
                if let Value::Mapping(members) = at(whole, way) {
                    members.insert("more".into(), value.clone());
                }
            }
            Self::Remove | Self::Rename => match (at(whole, parents), last) {
                (Value::Mapping(members), Step::Member(name)) => {
                    let value = members.remove(name.as_str()).unwrap();
                    if matches!(self, Self::Rename) {
                        members.insert(format!("{name}s").into(), value);
                    }
                }
                (Value::Sequence(items), Step::Item(number)) => drop(items.remove(*number)),
                _ => unreachable!("{way:?}"),
            },
        }
    }
}

/// Does what this section says refer to the other?
fn reads(section: &str, other: &str) -> bool {
    matches!((section, other), ("credentials" | "store", "backends") | ("workers", "session"))
}

fn section_of(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap()
}

#[test]
fn the_good_ones_are_good() {
    for good in GOOD {
        assert!(parse(good).is_ok(), "{:?}", parse(good).err());
    }
}

/// One change to a good file: it is still good, or what is wrong is named where it was changed, or
/// where it is referred to.
#[test]
fn a_change_is_taken_or_named_with_its_path() {
    let wholes = GOOD.map(|good| serde_yaml_ng::from_str::<Value>(good).unwrap());
    let all = wholes.each_ref().map(ways);
    proptest!(config(), |(which in 0..2usize, way in any::<Index>(), change in change())| {
        let mut whole = wholes[which].clone();
        let way = way.get(&all[which]);
        change.make(&mut whole, way);
        let text = serde_yaml_ng::to_string(&whole).unwrap();
        let Err(faults) = parse(&text) else { return Ok(()) };
        let Some(Step::Member(changed)) = way.first() else { unreachable!("{way:?}") };
        prop_assert!(!faults.is_empty(), "refused, and nobody is told why: {text}");
        for fault in &faults {
            let section = section_of(&fault.path);
            let here = section == changed || section == format!("{changed}s");
            prop_assert!(here || reads(section, changed), "{fault} | {way:?} {change:?}");
            prop_assert!(!fault.message.is_empty(), "{}", fault.path);
        }
    });
}

#[test]
fn no_yaml_is_too_strange() {
    proptest!(config(), |(sections in prop::collection::btree_map(name(), tree(), 0..12))| {
        let text = serde_yaml_ng::to_string(&mapping(sections)).unwrap();
        // Without what must be there nothing is good.
        let faults = parse(&text).err().unwrap_or_default();
        prop_assert!(faults.iter().any(|fault| fault.path.starts_with("edge")), "{text}");
    });
}

#[test]
fn no_text_is_too_strange() {
    proptest!(config(), |(text in "\\PC{0,200}")| {
        prop_assert!(parse(&text).is_err_and(|faults| !faults.is_empty()));
    });
    proptest!(config(), |(which in 0..2usize, place in any::<Index>(), other in any::<char>())| {
        let good: Vec<char> = GOOD[which].chars().collect();
        let mut text = good.clone();
        text[place.index(good.len())] = other;
        let text: String = text.into_iter().collect();
        if let Err(faults) = parse(&text) {
            prop_assert!(!faults.is_empty(), "{text}");
        }
    });
    let deep = ["[", "{a: ", "- "].map(|open| open.repeat(1000));
    // Each name ten of the last: a few lines that would be gigabytes.
    let names: String = (1..30)
        .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")))
        .collect();
    let bomb = format!("a0: &a0 x\n{names}");
    for text in deep.iter().chain([&bomb]) {
        assert!(parse(text).is_err_and(|faults| !faults.is_empty()), "{}", &text[..20]);
    }
}

/// A mapping whose names are no texts, and the same name twice.
#[test]
fn names_are_texts_and_there_once() {
    let mut odd = Mapping::new();
    odd.insert(Value::from(1), Value::Null);
    odd.insert(Value::Sequence(Vec::new()), Value::Null);
    for text in [
        serde_yaml_ng::to_string(&odd).unwrap(),
        "audit: {1: 2, path: a}".into(),
        "audit: {path: a}\naudit: {path: b}".into(),
        "audit: {path: a, path: b}".into(),
        "? {a: b}\n: c".into(),
        "!tag {a: b}".into(),
        "edge: !tag {listen: x}".into(),
    ] {
        assert!(parse(&text).is_err_and(|faults| !faults.is_empty()), "{text}");
    }
}
