//! KV version 1, and logins with what was response-wrapped.

use super::common::bao::{Bao, headers, resolver};
use super::{KEYS, pair, until};
use serde_json::{Value, json};
use stack::openbao::Storage;

#[tokio::test]
async fn a_value_of_a_kv_store_of_version_1() {
    let bao = Bao::start(Storage::Memory);
    bao.root("sys/mounts/kv1", json!({"type": "kv", "options": {"version": "1"}}));
    bao.root("kv1/app/llm", json!({"key": "v", "data": {"key": "no"}, "number": 7}));
    let at = "backend: bao, kv: {mount: kv1, engine: 1, path: app/llm}";
    let resolver = resolver(&format!(
        "{}credentials:
  llm: {{primary: {{{at}, field: key}}}}
  number: {{primary: {{{at}, field: number}}}}
  missing: {{primary: {{backend: bao, kv: {{mount: kv1, engine: 1, path: app/no}}, field: key}}}}
  wrong: {{primary: {{backend: bao, kv: {{mount: kv1, path: app/llm}}, field: key}}}}\n",
        bao.backend()
    ));
    assert_eq!(headers(&resolver, "llm").await, Ok(pair("authorization", "Bearer v")));
    for handle in ["number", "missing", "wrong"] {
        assert_eq!(headers(&resolver, handle).await, Err("backend_denied".into()), "{handle}");
    }
}

#[tokio::test]
async fn a_wrapped_secret_id_is_unwrapped_once_and_used_for_every_login() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "v"}));
    // Tokens that die soon, so that custody logs in again with what it unwrapped.
    bao.role(json!({"token_ttl": "2s", "token_max_ttl": "2s"}));
    let wrapped = || bao.wrapped("auth/approle/role/custody/secret-id", &[]);
    bao.file("secret-id", &wrapped());
    let mut auth = bao.approle();
    auth["wrapped"] = json!(true);
    let sections = format!("{}{KEYS}", bao.backend_with(auth, Value::Null));
    let good = Ok(pair("authorization", "Bearer v"));
    let first = resolver(&sections);
    assert_eq!(headers(&first, "llm").await, good);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(headers(&first, "llm").await, good);
    assert!(bao.calls("auth/approle/login") >= 2);
    assert_eq!(bao.calls("sys/wrapping/unwrap"), 1);
    // Another custody finds the token used, until somebody writes a new file. The first would take that.
    drop(first);
    let other = resolver(&sections);
    assert_eq!(headers(&other, "llm").await, Err("backend_denied".into()));
    bao.file("secret-id", &wrapped());
    until(async || headers(&other, "llm").await == good).await;
}

#[tokio::test]
async fn a_wrapped_token_is_unwrapped_once() {
    let bao = Bao::start(Storage::Memory);
    bao.kv("app/llm", json!({"key": "v"}));
    let wrapped = || bao.wrapped("auth/token/create", &["policies=custody", "ttl=10m"]);
    let file = bao.file("token", &wrapped());
    let auth = json!({"token_file": file, "wrapped": true});
    let sections = format!("{}{KEYS}", bao.backend_with(auth, Value::Null));
    let resolver = resolver(&sections);
    let good = Ok(pair("authorization", "Bearer v"));
    for _ in 0..3 {
        assert_eq!(headers(&resolver, "llm").await, good);
    }
    assert_eq!(bao.calls("sys/wrapping/unwrap"), 1);
    bao.file("token", &wrapped());
    assert_eq!(headers(&resolver, "llm").await, good);
    assert_eq!(bao.calls("sys/wrapping/unwrap"), 2);
    // What is wrapped is not what custody needs: it is told, and nothing of it.
    let other = bao.wrapped("sys/tools/random", &[]);
    bao.file("token", &other);
    assert_eq!(headers(&resolver, "llm").await, Err("credential_unreadable".into()));
}
