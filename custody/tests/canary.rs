//! No secret and no Session JWT in anything custody leaves behind or says.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use common::client::plain_get;
use common::scan::{files_below, holds, spellings};
use common::stores::Store;
use common::{CANARY, Home, custody, run, text};
use serde_json::json;
use std::fs;

#[test]
fn the_scan_itself_finds_things() {
    for text in [
        format!("a{CANARY}b"),
        STANDARD_NO_PAD.encode(format!("Bearer {CANARY}!")),
        URL_SAFE_NO_PAD.encode(format!("user:{CANARY}??")),
        STANDARD_NO_PAD.encode(CANARY),
    ] {
        assert!(spellings(CANARY).iter().any(|needle| holds(text.as_bytes(), needle)), "{text}");
    }
}

#[tokio::test]
async fn no_secret_is_in_anything_custody_leaves_or_says() {
    let home = Home::new(Store::Sqlite);
    home.put("basic", &["--type", "basic", "--user", "u"], CANARY);
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    let running = home.serve();
    let environment = fs::read(format!("/proc/{}/cmdline", running.child.id())).unwrap();
    seen.push(("command line".into(), environment));
    let mut tokens = Vec::new();
    for change in ["", "handle", "destination", "session", "binding", "path"] {
        let mut request = home.request();
        match change {
            "" => {}
            "session" => request[change] = home.token_with("team", json!("sales")).into(),
            "path" => request[change] = json!(format!("/x?key={CANARY}#{CANARY}")),
            field => request[field] = "not-stored".into(),
        }
        tokens.push(request["session"].as_str().unwrap().to_owned());
        let answer = home.lease(&running, &request).await;
        if answer.status == 200 {
            assert!(holds(&answer.body, CANARY.as_bytes()), "the lease, and only it, holds it");
        } else {
            seen.push((format!("refusal {change}"), answer.body));
        }
    }
    // A token that was tampered with, and a secret where the token should be.
    for session in [format!("{}x", home.token()), CANARY.to_owned()] {
        let mut request = home.request();
        request["session"] = session.as_str().into();
        tokens.push(session);
        seen.push(("refusal".into(), home.lease(&running, &request).await.body));
    }
    for path in ["/metrics", "/healthz"] {
        seen.push((path.into(), plain_get(running.health, path).await.body));
    }
    let log = std::sync::Arc::clone(&running.log);
    assert_eq!(running.stop(), 0);
    seen.push(("log".into(), log.lock().unwrap().clone().into_bytes()));
    for arguments in [&["cred", "list"][..], &["cred", "list", "--json"], &["check"]] {
        let output = run(custody().args(arguments).arg("--config").arg(home.config()), b"");
        seen.push((arguments.join(" "), text(&output).into_bytes()));
    }
    for path in files_below(&home.path("")) {
        seen.push((path.display().to_string(), fs::read(path).unwrap()));
    }
    assert!(seen.iter().any(|(what, _)| what.ends_with("custody.db")));
    assert!(seen.iter().any(|(what, bytes)| what.ends_with("audit.jsonl") && bytes.len() > 1000));
    tokens.retain(|token| token != CANARY);
    for (what, bytes) in &seen {
        for needle in spellings(CANARY) {
            assert!(!holds(bytes, &needle), "the secret in: {what}");
        }
        for token in &tokens {
            assert!(!holds(bytes, token.as_bytes()), "a session in: {what}");
            let signature = token.rsplit('.').next().unwrap();
            assert!(!holds(bytes, signature.as_bytes()), "a signature in: {what}");
        }
    }
}

#[tokio::test]
async fn the_running_program_cannot_be_dumped() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let of =
        |name: &str| fs::read_to_string(format!("/proc/{}/{name}", running.child.id())).unwrap();
    let limits = of("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    assert!(of("status").lines().any(|line| line.trim() == "CoreDumping:\t0"));
}
