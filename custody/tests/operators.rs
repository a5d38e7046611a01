//! The command line over the admin API, on the real binary.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::stores::{Store, on_both_stores};
use common::{Home, Running, custody, run, text};
use serde_json::Value;
use std::process::Output;

// The others are about the command line itself.
on_both_stores! {
    #[tokio::test]
    a_day_of_an_operator,
    grants_are_tried_from_the_command_line,
}

fn ask(home: &Home, running: &Running, arguments: &[&str]) -> Output {
    let url = format!("https://{}", running.admin);
    let config = home.config();
    run(custody().args(arguments).args(["--admin", &url, "--config"]).arg(config), b"")
}

fn words(home: &Home, running: &Running, arguments: &[&str]) -> String {
    let output = ask(home, running, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output));
    assert!(output.stderr.is_empty(), "{}", text(&output));
    text(&output)
}

fn json(home: &Home, running: &Running, arguments: &[&str]) -> Value {
    let text = words(home, running, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

async fn a_day_of_an_operator(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let status = words(&home, &running, &["status"]);
    assert!(status.contains("kill switch  off") && status.contains(store.name()), "{status}");
    assert_eq!(words(&home, &running, &["leases"]), "no leases\n");
    assert_eq!(words(&home, &running, &["sessions"]), "no session holds a lease\n");
    assert_eq!(words(&home, &running, &["revocations"]), "nothing is revoked\n");

    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let leases = words(&home, &running, &["leases"]);
    assert!(leases.starts_with("LEASE") && leases.contains("api.github.com:443"), "{leases}");
    let lease = json(&home, &running, &["leases", "--session", "jti-1"])["leases"][0].clone();
    assert_eq!((&lease["handle"], &lease["subject"]), (&"github-ci".into(), &"ci-job-7".into()));
    assert_eq!(
        json(&home, &running, &["leases", "--handle", "other"])["leases"],
        Value::Array(vec![])
    );
    let sessions = words(&home, &running, &["sessions"]);
    assert!(sessions.contains("jti-1") && sessions.contains("github-ci"), "{sessions}");

    let id = lease["lease_id"].as_str().unwrap();
    let said = words(&home, &running, &["revoke", "lease", id]);
    assert!(said.starts_with(&format!("revoked lease {id} until 20")), "{said}");
    let said = words(&home, &running, &["revoke", "session", "jti-1", "--for", "12h"]);
    assert!(said.contains("1 live lease ends"), "{said}");
    assert_eq!(home.lease(&running, &home.request()).await.status, 401);
    let listed = words(&home, &running, &["revocations"]);
    assert!(listed.starts_with("KIND") && listed.contains("operator"), "{listed}");
    assert_eq!(
        words(&home, &running, &["restore", "session", "jti-1"]),
        "restored session https://control-plane.example#jti-1\n"
    );
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    let output = ask(&home, &running, &["restore", "session", "jti-1"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output), "custody: it is not revoked (not_found)\n");

    assert!(words(&home, &running, &["kill", "on"]).contains("ON"));
    assert_eq!(json(&home, &running, &["kill", "status"])["on"], true);
    assert!(words(&home, &running, &["status"]).contains("ON: everything is denied"));
    assert_eq!(home.lease(&running, &home.request()).await.status, 403);
    assert!(words(&home, &running, &["kill", "off"]).contains("off"));
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
}

async fn grants_are_tried_from_the_command_line(store: Store) {
    let home = Home::new(store);
    let running = home.serve();
    let check = ["grants", "check", "github-ci", "api.github.com"];
    let said = words(&home, &running, &[&check[..], &["--claim", "team=build"]].concat());
    assert!(said.starts_with("granted: grants[0] covers it, for 300 s"), "{said}");
    let claims = ["--claims", r#"{"team": ["x", "build"]}"#];
    words(&home, &running, &[&check[..], &["HEAD"], &claims[..]].concat());
    for (more, why) in [
        (&["POST", "--claim", "team=build"][..], "method"),
        (&["--claim", "team=ops"], "claims"),
        (&["--claim", "team=build", "--single-use"], "binding"),
    ] {
        let output = ask(&home, &running, &[&check[..], more].concat());
        assert_eq!(output.status.code(), Some(4), "{}", text(&output));
        assert!(text(&output).starts_with(&format!("not granted ({why}): ")), "{}", text(&output));
    }
    assert!(words(&home, &running, &["grants", "reload"]).starts_with("3 grants in force"));
    home.edit("ttl: 15m", "ttl: 16m");
    let output = ask(&home, &running, &["grants", "reload"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("grants[2].ttl"), "{}", text(&output));
}

#[test]
fn what_goes_wrong_is_said() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let config = home.config();
    let config = config.to_str().unwrap();
    let url = format!("https://{}", running.admin);
    let edge = home.path("edge-client.pem");
    let edge_key = home.path("edge-client.key");
    let (edge, edge_key) = (edge.to_str().unwrap(), edge_key.to_str().unwrap());
    let plain = format!("http://{}", running.health);
    for (arguments, code, part) in [
        // The configuration says port 0, so nobody is there.
        (&["status", "--config", config][..], 3, "is custody running (custody serve)"),
        (&["status", "--config", "/nowhere/custody.yaml"], 1, "/nowhere/custody.yaml"),
        (&["status", "--config", config, "--admin", "custody"], 2, "--admin custody"),
        (
            &["status", "--config", config, "--admin", &url, "--cert", edge, "--key", edge_key],
            3,
            "admin.tls.client_ca",
        ),
        (&["status", "--config", config, "--admin", &url, "--ca", edge], 3, "certificate"),
        (
            &["status", "--config", config, "--admin", &plain],
            1,
            "is that custody's admin listener?",
        ),
        (&["revoke", "planet", "x"], 2, "invalid value 'planet'"),
        (&["revoke", "session", "x", "--for", "soon", "--config", config], 2, "--for soon"),
        (&["revoke", "handle", "a b", "--config", config, "--admin", &url], 1, "a handle is"),
        (&["kill"], 2, "<WHAT>"),
        (&["grants", "check", "h", "d", "--claim", "x"], 2, "NAME=VALUE"),
        (&["grants", "check", "h", "d", "--claims", "[]"], 2, "--claims"),
    ] {
        let output = run(custody().args(arguments), b"");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(part), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn every_command_helps() {
    for arguments in [
        &["status"][..],
        &["leases"],
        &["sessions"],
        &["revoke"],
        &["restore"],
        &["revocations"],
        &["kill"],
        &["grants", "check"],
        &["grants", "reload"],
        &["openapi"],
        &["cred", "put"],
    ] {
        let output = run(custody().args(arguments).arg("--help"), b"");
        assert!(output.status.success() && text(&output).contains("Usage: custody"));
    }
    for arguments in [&["leases"][..], &["revoke"], &["restore"], &["kill"], &["grants", "check"]] {
        let output = run(custody().args(arguments).arg("--help"), b"");
        assert!(text(&output).contains("Example"), "{arguments:?}");
    }
    let output = run(custody().arg("openapi"), b"");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}
