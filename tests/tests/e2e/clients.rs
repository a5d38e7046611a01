//! Clients as people use them, who know of no proxy: they are given `HTTPS_PROXY` and the CA in
//! their environment, and nothing else.

use std::process::Command;

use serde_json::Value;
use stack::clients::Clients;
use stack::guest::Guest;
use tests::scene::{API, LEASED, SECRET, Scene, UNLISTED};

use crate::canary::scanner::{Canary, Haystack};
use crate::wide;

#[test]
fn curl_over_h2_and_http1() {
    let scene = wide::scene("10s");
    let guest = Guest::explicit(&scene.stack, Some(&scene.session)).unwrap();
    let base = format!("https://{}", scene.at(API));
    let models = format!("{base}/v1/models");
    let mut calls = 0;
    for (version, option) in [("2", "--http2"), ("1.1", "--http1.1")] {
        for arguments in [
            vec![option, &models],
            vec![option, "--header", "Authorization: Bearer guests-own", &models],
            vec![option, "--user", "guests:own", &models],
            vec![option, "--json", "{}", &models],
        ] {
            let reply = guest.curl(&arguments).unwrap();
            assert_eq!((reply.status, reply.version.as_str()), (200, version), "{arguments:?}");
            assert_no_secret(&format!("{}{}", reply.headers, reply.body));
            calls += 1;
            assert_leases(&scene, calls);
        }
        let refused = guest.curl(&[option, "--request", "DELETE", &models]).unwrap();
        assert_eq!(refused.reason.as_deref(), Some("method_not_allowed"));
        let refused = guest.curl(&[option, &format!("https://{UNLISTED}/")]).unwrap();
        assert!(refused.at_connect);
        assert_eq!(refused.reason.as_deref(), Some("host_not_allowed"));
        assert_eq!(scene.arrived(), calls);
    }
}

#[test]
fn python_requests_needs_no_more_than_its_environment() {
    let clients = Clients::fetch().unwrap();
    let ca = "REQUESTS_CA_BUNDLE";
    plays_a_guest(Command::new(clients.python).arg("-I").arg(beside("guest.py")), &[ca]);
}

#[test]
fn node_fetch_needs_no_more_than_its_environment() {
    let clients = Clients::fetch().unwrap();
    let mut node = Command::new(clients.node);
    node.env("NODE_USE_ENV_PROXY", "1").arg(beside("guest.mjs"));
    plays_a_guest(&mut node, &["NODE_EXTRA_CA_CERTS"]);
}

fn beside(file: &str) -> String {
    format!("{}/tests/e2e/clients/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs `client` with the environment of a guest, its CA under the names in `ca`.
fn plays_a_guest(client: &mut Command, ca: &[&str]) {
    let scene = wide::scene("10s");
    let proxy = scene.stack.proxy_url(&scene.session);
    let given: Vec<_> = client
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
        .collect();
    client.env_clear().envs(given).env("HTTPS_PROXY", &proxy);
    for name in ca {
        client.env(name, scene.stack.guest_ca().unwrap());
    }
    client.arg(format!("https://{}", scene.at(API))).arg(format!("https://{UNLISTED}/"));
    let printed = wide::run(client);
    assert_no_secret(&printed);
    let told: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(told["environment"]["HTTPS_PROXY"], proxy, "the environment was printed");
    let replies = told["replies"].as_array().unwrap();
    let statuses: Vec<_> = replies.iter().map(|reply| reply["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200, 403], "{replies:?}");
    assert_eq!(replies[3]["headers"]["x-deny-reason"], "method_not_allowed");
    let posted: Value = serde_json::from_str(replies[1]["body"].as_str().unwrap()).unwrap();
    assert!(posted["body_bytes"].as_u64().unwrap() > 5000, "{posted}");
    let refused = told["refused"].as_str().unwrap();
    assert!(refused.contains("403"), "the tunnel to {UNLISTED}: {refused:?}");
    assert_leases(&scene, 3);
}

/// The origin got this many requests, each with custody's credential and no other.
#[track_caller]
fn assert_leases(scene: &Scene, count: usize) {
    let requests = scene.stack.origin().unwrap().requests();
    assert_eq!(requests.len(), count);
    for seen in requests {
        assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{seen:?}");
        let carriers = seen.header_names();
        assert!(!carriers.iter().any(|name| name.starts_with("proxy-")), "{carriers:?}");
    }
}

#[track_caller]
fn assert_no_secret(text: &str) {
    assert!(!text.is_empty());
    let found = Canary::new("the lease", SECRET).find(&Haystack::new(text.as_bytes()));
    assert_eq!(found, None, "{text}");
}
