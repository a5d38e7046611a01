//! docs/configuration.md: every example in it is one that custody takes, and no field that custody
//! knows is missing. docs/secret-managers.md: custody takes every recipe.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{custody, run, text};
use custody::config::Config;
use serde_yaml_ng::{Mapping, Value};

/// What an example may name beside what `custody init` makes: private files of one line, CAs, keys.
const LINES: [(&str, &str); 2] =
    [("db-password", "secret"), ("db-url", "postgres://custody:secret@127.0.0.1/custody")];
const CAS: [&str; 7] = [
    "alerts-ca.pem",
    "bao-ca.pem",
    "bao-client.pem",
    "control-plane-ca.pem",
    "db-ca.pem",
    "github-ca.pem",
    "login-ca.pem",
];

const REFERENCE: &str = "docs/configuration.md";

const JWKS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A folder as `custody init` leaves it, with all that the examples name.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let other = at("other");
    for folder in [home.path(), &other] {
        let output = run(custody().arg("init").arg(folder), b"");
        assert!(output.status.success(), "{}", text(&output));
    }
    for name in CAS {
        fs::copy(other.join("edge-client.pem"), at(name)).unwrap();
    }
    fs::copy(other.join("edge-client.key"), at("bao-client.key")).unwrap();
    for name in ["jwks.json", "capabilities.json"] {
        fs::write(at(name), JWKS).unwrap();
    }
    for (name, line) in LINES {
        fs::write(at(name), line).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    home
}

/// The examples, each laid over what `custody init` writes: a section that it has takes the place of
/// that one.
fn examples(page: &str, home: &Path) -> Vec<Mapping> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = fs::read_to_string(root.join(page)).unwrap();
    let blocks = document.split("```yaml custody\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let made = fs::read_to_string(home.join("custody.yaml")).unwrap();
    blocks
        .map(|block| {
            let mut whole: Mapping = serde_yaml_ng::from_str(&made).unwrap();
            whole.extend(serde_yaml_ng::from_str::<Mapping>(block).unwrap());
            whole
        })
        .collect()
}

fn faults(home: &Path, whole: &Value) -> Vec<String> {
    match Config::parse(&serde_yaml_ng::to_string(whole).unwrap(), home) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_example_is_one_that_custody_takes() {
    let home = home();
    let examples = examples(REFERENCE, home.path());
    assert!(examples.len() > 5, "the examples are not found");
    for whole in examples {
        let local = whole["store"].get("path").is_some();
        let file = home.path().join("example.yaml");
        fs::write(&file, serde_yaml_ng::to_string(&whole).unwrap()).unwrap();
        let put = |handle: &str| {
            let put = ["cred", "put", handle, "--config"];
            let output = run(custody().args(put).arg(&file), b"a secret");
            assert!(output.status.success(), "{}", text(&output));
        };
        // Whose store is a server cannot be checked without it.
        if local {
            put("github-ci");
            let output = run(custody().arg("check").arg("--config").arg(&file), b"");
            assert!(output.status.success(), "{}", text(&output));
        } else {
            assert_eq!(faults(home.path(), &Value::Mapping(whole)), [""; 0]);
        }
    }
}

/// Their programs are not on this machine, so their files are not checked.
#[test]
fn every_recipe_is_one_that_custody_takes() {
    let home = home();
    let recipes = examples("docs/secret-managers.md", home.path());
    assert!(recipes.len() > 6, "the recipes are not found");
    for whole in recipes {
        assert_eq!(faults(home.path(), &Value::Mapping(whole)), [""; 0]);
    }
}

/// Custody is asked itself: a field it does not know is answered with those it knows.
#[test]
fn every_field_that_custody_knows_is_in_an_example() {
    let home = home();
    let mut known: BTreeMap<BTreeSet<String>, BTreeSet<String>> = BTreeMap::new();
    for whole in examples(REFERENCE, home.path()) {
        let whole = Value::Mapping(whole);
        let mut paths = Vec::new();
        mappings(&whole, &mut Vec::new(), &mut paths);
        for path in paths {
            let mut asked = whole.clone();
            let here = at(&mut asked, &path).as_mapping_mut().unwrap();
            let named: Vec<_> = here.keys().map(|key| key.as_str().unwrap().to_owned()).collect();
            here.insert("zzz".into(), Value::Null);
            for fields in faults(home.path(), &asked).iter().filter_map(|fault| expected(fault)) {
                known.entry(fields).or_default().extend(named.iter().cloned());
            }
        }
    }
    assert!(known.len() > 20, "custody does not say what it expects: {known:?}");
    for (fields, named) in known {
        let missing: Vec<_> = fields.difference(&named).collect();
        assert!(missing.is_empty(), "docs/configuration.md lacks {missing:?} beside {named:?}");
    }
}

/// ``x: unknown field `zzz`, expected one of `a`, `b` `` -> a, b.
fn expected(fault: &str) -> Option<BTreeSet<String>> {
    let (_, fields) = fault.split_once("unknown field `zzz`, expected ")?;
    Some(fields.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Where in `value` there are mappings, below its sections.
fn mappings(value: &Value, path: &mut Vec<Value>, found: &mut Vec<Vec<Value>>) {
    let children: Vec<(Value, &Value)> = match value {
        Value::Mapping(fields) => {
            if !path.is_empty() {
                found.push(path.clone());
            }
            fields.iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Sequence(items) => {
            items.iter().enumerate().map(|(at, item)| (at.into(), item)).collect()
        }
        _ => return,
    };
    for (step, child) in children {
        path.push(step);
        mappings(child, path, found);
        path.pop();
    }
}

fn at<'a>(value: &'a mut Value, path: &[Value]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match step.as_u64() {
        Some(number) => &mut value[usize::try_from(number).unwrap()],
        None => &mut value[step],
    })
}
