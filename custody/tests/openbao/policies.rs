//! Tokens that may not look themselves up: those without the policy `default`.

use super::common::bao::{Bao, headers, resolve, resolver};
use super::{KEYS, jwt_logins, pair, until};
use futures_util::future::join_all;
use serde_json::{Value, json};
use stack::openbao::Storage;
use std::time::Instant;

const LOGIN: &str = "auth/approle/login";
/// Beside the handle `llm` two that the policy `custody` does not cover.
const DENIED: &str =
    "  theirs: {primary: {backend: bao, kv: {mount: kv, path: theirs}, field: key}}
  others: {primary: {backend: bao, kv: {mount: kv, path: others}, field: key}}\n";

fn bao() -> Bao {
    let bao = Bao::start(Storage::Memory);
    for path in ["app/llm", "theirs", "others"] {
        bao.kv(path, json!({"key": "v"}));
    }
    bao.role(json!({"token_ttl": "10m", "token_no_default_policy": true}));
    bao
}

fn good() -> Result<Vec<(String, String)>, String> {
    Ok(pair("authorization", "Bearer v"))
}

fn denied() -> Result<Vec<(String, String)>, String> {
    Err("backend_denied".into())
}

async fn fault(resolver: &custody_backends::resolver::Resolver, handle: &str) -> String {
    let unresolved = resolve(resolver, handle, None).await.err().unwrap();
    unresolved.failures[0].fault.to_string()
}

#[tokio::test]
async fn a_path_the_policy_denies_costs_one_login_and_not_one_a_request() {
    let bao = bao();
    let jwt = jwt_logins(&bao, json!({"token_no_default_policy": true}));
    let jwt = json!({"jwt": {"role": "custody", "jwt_file": bao.file("jwt", &jwt("custody")),
        "mount": "k8s"}});
    for (auth, login) in [(bao.approle(), LOGIN), (jwt, "auth/k8s/login")] {
        let backend = bao.backend_with(auth, Value::Null);
        let resolver = resolver(&format!("{backend}{KEYS}{DENIED}"));
        for _ in 0..20 {
            assert_eq!(headers(&resolver, "theirs").await, denied());
        }
        assert!(bao.calls(login) <= 2, "{} logins by {login}", bao.calls(login));
        let at_once = join_all((0..20).map(|_| headers(&resolver, "theirs"))).await;
        assert!(at_once.iter().all(|one| *one == denied()), "{at_once:?}");
        for _ in 0..20 {
            assert_eq!(headers(&resolver, "llm").await, good());
        }
        assert!(bao.calls(login) <= 2, "{} logins by {login}", bao.calls(login));
        // Another path may be denied for another reason, so it is worth a login of its own.
        for _ in 0..20 {
            assert_eq!(headers(&resolver, "others").await, denied());
        }
        assert!(bao.calls(login) <= 3, "{} logins by {login}", bao.calls(login));
    }
}

#[tokio::test]
async fn a_denial_names_the_line_the_policy_lacks() {
    let bao = bao();
    let resolver = resolver(&format!("{}{KEYS}{DENIED}", bao.backend()));
    let text = fault(&resolver, "theirs").await;
    let line = r#"path "kv/data/theirs" { capabilities = ["read"] }"#;
    assert!(text.contains(line), "{text}");
    // The line heals it without a login or a restart.
    let logins = bao.calls(LOGIN);
    bao.root("sys/policies/acl/custody", json!({"policy": line}));
    assert_eq!(headers(&resolver, "theirs").await, good());
    assert_eq!(bao.calls(LOGIN), logins);
}

#[tokio::test]
async fn a_revoked_token_is_replaced_though_it_cannot_be_looked_up() {
    let bao = bao();
    let resolver = resolver(&format!("{}{KEYS}{DENIED}", bao.backend()));
    assert_eq!(headers(&resolver, "llm").await, good());
    for logins in 2..5 {
        bao.root("sys/leases/revoke-prefix/auth/approle", json!({}));
        let all = join_all((0..20).map(|_| headers(&resolver, "llm"))).await;
        assert!(all.iter().all(|one| *one == good()), "{all:?}");
        assert_eq!(bao.calls(LOGIN), logins);
    }
    // Also after a path was denied, whose denial says nothing of the token.
    assert_eq!(headers(&resolver, "theirs").await, denied());
    let logins = bao.calls(LOGIN);
    bao.root("sys/leases/revoke-prefix/auth/approle", json!({}));
    assert_eq!(headers(&resolver, "theirs").await, denied());
    assert_eq!(bao.calls(LOGIN), logins, "that path had its login");
    assert_eq!(headers(&resolver, "llm").await, good());
    assert_eq!(bao.calls(LOGIN), logins + 1);
}

#[tokio::test]
async fn tokens_that_die_at_once_cost_a_login_a_second_at_most() {
    let bao = bao();
    bao.role(json!({"token_ttl": "10m", "token_no_default_policy": true, "token_num_uses": 1}));
    let resolver = resolver(&format!("{}{KEYS}", bao.backend()));
    let begun = Instant::now();
    for _ in 0..4 {
        assert_eq!(headers(&resolver, "llm").await, good());
    }
    let (logins, seconds) = (bao.calls(LOGIN), begun.elapsed().as_secs_f64());
    assert_eq!(logins, 4);
    assert!(seconds >= 3.0, "{logins} logins in {seconds} s");
}

#[tokio::test]
async fn a_token_file_serves_though_its_token_cannot_be_looked_up() {
    let bao = bao();
    let token = || {
        let made = bao.root(
            "auth/token/create",
            json!({"policies": ["custody"], "no_default_policy": true, "ttl": "10m"}),
        );
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    let first = token();
    let file = bao.file("token", &first);
    let auth = json!({"token_file": file});
    let backend = bao.backend_with(auth, Value::Null);
    let resolver = resolver(&format!("{backend}{KEYS}{DENIED}"));
    for _ in 0..20 {
        assert_eq!(headers(&resolver, "llm").await, good());
        assert_eq!(headers(&resolver, "theirs").await, denied());
    }
    let asked = bao.calls("auth/token/lookup-self");
    assert!(asked <= 21, "a look-up for the file, and one a denial: {asked}");
    // Dead: whoever keeps the file has to put another there, and the fault says so.
    bao.root("auth/token/revoke", json!({"token": first}));
    let text = fault(&resolver, "llm").await;
    for part in [
        r#"path "kv/data/app/llm" { capabilities = ["read"] }"#,
        r#"path "auth/token/lookup-self" { capabilities = ["read"] }"#,
        &file.display().to_string(),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    bao.file("token", &token());
    until(async || headers(&resolver, "llm").await == good()).await;
}
