//! A real OpenBao serves, keeps and audits.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use stack::openbao::{OpenBao, Storage};

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text"))
}

#[test]
fn two_servers_know_nothing_of_each_other() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, other] =
        folders.each_ref().map(|folder| OpenBao::start(folder.path(), Storage::Memory).unwrap());
    assert_ne!(one.address(), other.address());
    one.root("POST", "sys/mounts/kv", &json!({"type": "kv-v2"})).unwrap();
    one.root("POST", "kv/data/one", &json!({"data": {"value": "first"}})).unwrap();
    let read = one.root("GET", "kv/data/one", &Value::Null).unwrap();
    assert_eq!(read["data"]["data"]["value"], "first");
    let (status, _) =
        other.call("GET", "kv/data/one", Some(other.root_token().expose()), None).unwrap();
    assert_eq!(status, 404);
    let (status, _) =
        other.call("GET", "sys/mounts", Some(one.root_token().expose()), None).unwrap();
    assert_eq!(status, 403, "a root token of one opens the other");
}

#[test]
fn a_restart_and_a_crash_keep_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let mut bao = OpenBao::start(folder.path(), Storage::Disk).unwrap();
    bao.root("POST", "sys/mounts/kv", &json!({"type": "kv-v2"})).unwrap();
    bao.root("POST", "kv/data/kept", &json!({"data": {"value": "one"}})).unwrap();
    bao.restart().unwrap();
    let read = bao.root("GET", "kv/data/kept", &Value::Null).unwrap();
    assert_eq!(read["data"]["data"]["value"], "one");
    bao.kill();
    assert!(bao.root("GET", "kv/data/kept", &Value::Null).is_err(), "it was killed");
    bao.restart().unwrap();
    let read = bao.root("GET", "kv/data/kept", &Value::Null).unwrap();
    assert_eq!(read["data"]["data"]["value"], "one");
}

#[test]
fn sealed_it_serves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut bao = OpenBao::start(folder.path(), Storage::Memory).unwrap();
    bao.seal().unwrap();
    let (status, _) = bao.call("GET", "sys/mounts", Some(bao.root_token().expose()), None).unwrap();
    assert_eq!(status, 503);
    bao.unseal().unwrap();
    bao.root("GET", "sys/mounts", &Value::Null).unwrap();
}

#[test]
fn every_call_is_audited_and_no_value_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let bao = OpenBao::start(folder.path(), Storage::Memory).unwrap();
    bao.root("POST", "sys/mounts/kv", &json!({"type": "kv-v2"})).unwrap();
    bao.root("POST", "kv/data/audited", &json!({"data": {"value": "canary-7"}})).unwrap();
    let audited = bao.audited().unwrap();
    let records: Vec<Value> =
        audited.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let asked = |record: &&Value| record["request"]["path"] == "kv/data/audited";
    let types: Vec<_> = records.iter().filter(asked).map(|record| text(&record["type"])).collect();
    assert_eq!(types, ["request", "response"]);
    assert!(!audited.contains("canary-7"));
}

#[test]
fn what_is_refused_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let bao = OpenBao::start(folder.path(), Storage::Memory).unwrap();
    let error = bao.root("POST", "sys/mounts/x", &json!({"type": "no-such"})).unwrap_err();
    assert!(error.to_string().contains("no-such"), "{error}");
    let mut bao = bao;
    let error = bao.restart().unwrap_err().to_string();
    assert!(error.contains("Storage::Disk"), "{error}");
}
