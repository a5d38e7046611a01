//! The keys of the sealed store: at OpenBao's Transit, and changed while custody serves.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::bao::Bao;
use common::stores::{Store, on_both_stores};
use common::{CANARY, Home, Running, custody, run, text};
use serde_json::{Value, json};
use stack::openbao::Storage;
use std::fs;
use std::process::Output;

on_both_stores! {
    #[tokio::test]
    a_root_key_is_replaced_while_custody_serves,
    a_root_key_is_replaced_by_the_custody_that_serves,
    a_rotation_killed_at_any_moment_is_finished_by_the_next,
    without_the_old_key_nothing_is_changed,
    transit_takes_over_from_a_root_key,
}

fn command(home: &Home, arguments: &[&str]) -> Output {
    run(custody().args(arguments).arg("--config").arg(home.config()), b"")
}

async fn a_root_key_is_replaced_while_custody_serves(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    home.replace_root_key();
    // A value that is stored under the new key before the rotation.
    home.put("long", &[], "under the new key");
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let rotated = command(&home, &["key", "rotate", "--json"]);
    assert!(rotated.status.success(), "{}", text(&rotated));
    let rotated: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(rotated["rewrapped"], 1, "{rotated}");
    assert_eq!(rotated["dropped"].as_array().unwrap().len(), 1);
    // The custody that has been running all the time, and one that knows the new key alone.
    let answer = home.lease(&running, &home.request()).await;
    assert_eq!(answer.json()["headers"][0]["value"], format!("Bearer {CANARY}"));
    fs::remove_file(home.path("root.old.key")).unwrap();
    home.edit("  previous_root_keys: [root.old.key]\n", "");
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    assert_eq!(running.stop(), 0);
    let again = home.serve();
    let mut request = home.request();
    request["handle"] = "long".into();
    let answer = home.lease(&again, &request).await;
    assert_eq!(answer.json()["headers"][0]["value"], "Bearer under the new key");
}

async fn a_root_key_is_replaced_by_the_custody_that_serves(store: Store) {
    let home = Home::new(store);
    home.put("long", &[], "another");
    let running = home.serve();
    let rotate = || {
        let url = format!("https://{}", running.admin);
        command(&home, &["key", "rotate", "--running", "--json", "--admin", &url])
    };
    let values = async |running: &Running| {
        let mut long = home.request();
        long["handle"] = "long".into();
        let leases = [home.lease(running, &home.request()).await, home.lease(running, &long).await];
        leases.map(|lease| lease.json()["headers"][0]["value"].as_str().unwrap().to_owned())
    };
    let both = [format!("Bearer {CANARY}"), "Bearer another".to_owned()];
    // No key to take up: nothing is sealed anew.
    fs::rename(home.path("root.key"), home.path("aside.key")).unwrap();
    let failed = rotate();
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed).contains("store.root_key"), "{}", text(&failed));
    assert_eq!(values(&running).await, both);
    fs::rename(home.path("aside.key"), home.path("root.key")).unwrap();
    // The same key: there is nothing to do.
    let rotated: Value = serde_json::from_slice(&rotate().stdout).unwrap();
    assert_eq!((&rotated["rewrapped"], &rotated["dropped"]), (&json!(0), &json!([])));

    home.replace_root_key();
    let rotated: Value = serde_json::from_slice(&rotate().stdout).unwrap();
    assert_eq!((&rotated["rewrapped"], &rotated["kept"]), (&json!(2), &json!([])));
    assert_eq!(rotated["dropped"].as_array().unwrap().len(), 1);
    assert_eq!(values(&running).await, both);
    let orders = home.records().into_iter().filter(|record| record["action"] == "key_rotate");
    let by: Vec<_> = orders.map(|record| (record["event"].clone(), record["by"].clone())).collect();
    let told = |event: &str| (json!(event), json!("operator"));
    assert_eq!(by, [told("order"), told("order_failed"), told("order"), told("order")]);
    // With the new key alone.
    fs::remove_file(home.path("root.old.key")).unwrap();
    home.edit("  previous_root_keys: [root.old.key]\n", "");
    assert_eq!(running.stop(), 0);
    assert_eq!(values(&home.serve()).await, both);
}

#[test]
fn a_rotation_here_asks_nobody() {
    let home = Home::bare(Store::Sqlite);
    let output = command(&home, &["key", "rotate", "--admin", "https://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("--admin goes with --running"), "{}", text(&output));
}

async fn a_rotation_killed_at_any_moment_is_finished_by_the_next(store: Store) {
    let home = Home::bare(store);
    let names: Vec<_> = (0..12).map(|at| format!("h{at}")).collect();
    for name in &names {
        home.put(name, &[], &format!("{CANARY} {name}"));
    }
    let list: String = names
        .iter()
        .map(|name| {
            format!("\n  - {{handle: {name}, destinations: [a.example], claims: {{a: [b]}}}}")
        })
        .collect();
    home.edit("grants: []", &format!("grants:{list}"));
    home.replace_root_key();
    for killed_after in 0..12 {
        let mut rotation = custody()
            .args(["key", "rotate", "--config"])
            .arg(home.config())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(killed_after * 4));
        rotation.kill().unwrap();
        rotation.wait().unwrap();
        // `check` opens every granted value.
        let checked = command(&home, &["check"]);
        assert!(checked.status.success(), "{killed_after}: {}", text(&checked));
    }
    let rotated = command(&home, &["key", "rotate"]);
    assert!(rotated.status.success(), "{}", text(&rotated));
    fs::remove_file(home.path("root.old.key")).unwrap();
    home.edit("  previous_root_keys: [root.old.key]\n", "");
    let checked = command(&home, &["check"]);
    assert!(checked.status.success(), "{}", text(&checked));
}

async fn without_the_old_key_nothing_is_changed(store: Store) {
    let home = Home::new(store);
    home.replace_root_key();
    home.edit("  previous_root_keys: [root.old.key]\n", "");
    let rotated = command(&home, &["key", "rotate"]);
    assert_eq!(rotated.status.code(), Some(1));
    assert!(text(&rotated).contains("previous_root_keys"), "{}", text(&rotated));
    home.edit("  root_key: root.key", "  root_key: root.old.key");
    let running = home.serve();
    drop(running);
    let overwritten = run(custody().args(["key", "new"]).arg(home.path("root.key")), b"");
    assert_eq!(overwritten.status.code(), Some(1), "a key was overwritten");
}

fn transit(bao: &Bao, home: &Home) {
    home.append(&bao.backend());
    home.edit(
        "  root_key: root.key",
        "  previous_root_keys: [root.key]\n  signer: {transit: {backend: bao, key: leasehold}}",
    );
}

async fn transit_takes_over_from_a_root_key(store: Store) {
    let bao = Bao::start(Storage::Memory);
    bao.root("sys/mounts/transit", json!({"type": "transit"}));
    let home = Home::new(store);
    transit(&bao, &home);
    // Not there yet; then there, but of the wrong kind.
    let checked = command(&home, &["cred", "list"]);
    assert!(text(&checked).contains("derived=true"), "{}", text(&checked));
    bao.root("transit/keys/leasehold", json!({"type": "aes256-gcm96"}));
    let checked = command(&home, &["cred", "list"]);
    assert!(text(&checked).contains("derived and not exportable"), "{}", text(&checked));
    bao.root("transit/keys/leasehold/config", json!({"deletion_allowed": true}));
    bao.server.root("DELETE", "transit/keys/leasehold", &Value::Null).unwrap();
    bao.root("transit/keys/leasehold", json!({"type": "aes256-gcm96", "derived": true}));

    let rotated = command(&home, &["key", "rotate"]);
    assert!(rotated.status.success(), "{}", text(&rotated));
    fs::remove_file(home.path("root.key")).unwrap();
    home.edit("  previous_root_keys: [root.key]\n", "");
    home.put("long", &[], "put through transit");
    let running = home.serve();
    let answer = home.lease(&running, &home.request()).await;
    assert_eq!(answer.json()["headers"][0]["value"], format!("Bearer {CANARY}"));
    let mut long = home.request();
    long["handle"] = "long".into();
    assert_eq!(home.lease(&running, &long).await.status, 200);
    // A row in another's place: Transit refuses it, by its associated data.
    home.tamper(
        "UPDATE credential SET envelope = (SELECT envelope FROM credential WHERE handle = 'long')
         WHERE handle = 'github-ci'",
    );
    assert_eq!(home.lease(&running, &home.request()).await.status, 503);
    let last = home.records().pop().unwrap();
    assert_eq!(last["reason"], "credential_unreadable");
    // No key, no value.
    bao.server.seal().unwrap();
    assert_eq!(home.lease(&running, &long).await.status, 503);
    assert_eq!(home.records().pop().unwrap()["reason"], "backend_down");
}
