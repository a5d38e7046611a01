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

/// What users see of a denial: status and reason, soon, whether a CONNECT was denied or an upload of 20 MiB.
/// LEASEHOLD_RUNS asks each client more often.
#[test]
fn denials_are_shown_by_the_usual_clients() {
    let runs = std::env::var("LEASEHOLD_RUNS").unwrap_or_else(|_| "2".to_owned());
    let scene = Scene::refusing_in_tunnel();
    let clients = Clients::fetch().unwrap();
    let mut python = Command::new(&clients.python);
    python.arg("-I").arg(beside("denied.py"));
    let mut node = Command::new(&clients.node);
    node.arg(beside("denied.mjs"));
    for client in [&mut python, &mut node] {
        let ca = scene.stack.guest_ca().unwrap();
        client.env_clear().env("NODE_USE_ENV_PROXY", "1");
        client.env("HTTPS_PROXY", scene.stack.proxy_url(&scene.session));
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
        {
            client.env(name, ca);
        }
        let upload = format!("https://{}/v2/files", scene.at(API));
        client.args([format!("https://{}", scene.at(UNLISTED)), upload, runs.clone()]);
        let told: Value = serde_json::from_str(&wide::run(client)).unwrap();
        for told in told.as_array().unwrap() {
            assert_shown(told);
        }
    }
    assert_eq!((scene.arrived(), scene.asked()), (0, 0));
}

#[track_caller]
fn assert_shown(told: &Value) {
    let (client, shown) = (told["client"].as_str().unwrap(), told["shown"].as_str().unwrap());
    eprintln!("{client}: {:.2} s: {shown}", told["seconds"].as_f64().unwrap());
    assert!(told["seconds"].as_f64().unwrap() < 15.0, "{told}");
    assert!(shown.contains("403"), "{told}");
    // S3 answers in XML, and its client shows nothing else.
    if client != "boto3 s3" {
        let reason = match client.contains("uploads") {
            true => "The path is not on the allow-list.",
            false => "The host is not on the allow-list.",
        };
        assert!(shown.contains(reason), "{told}");
    }
}

/// uv and curl, by what they print.
#[test]
fn denials_are_printed_by_programs() {
    let scene = Scene::refusing_in_tunnel();
    let unlisted = format!("https://{}", scene.at(UNLISTED));
    let folder = tempfile::tempdir().unwrap();
    let mut uv = Command::new(Clients::fetch().unwrap().uv);
    uv.env_clear().env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
    uv.env("SSL_CERT_FILE", scene.stack.guest_ca().unwrap());
    uv.env("HTTPS_PROXY", scene.stack.proxy_url(&scene.session));
    let target = folder.path().join("packages");
    uv.args(["pip", "install", "--no-cache", "--index-url", &format!("{unlisted}/simple")]);
    let output = uv.arg("--target").arg(target).arg("six").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    eprintln!("uv: {printed}");
    assert!(printed.contains("403"), "{printed}");
    let guest = Guest::explicit(&scene.stack, Some(&scene.session)).unwrap();
    let body = folder.path().join("large");
    std::fs::write(&body, vec![b'x'; 20 << 20]).unwrap();
    let (body, upload) =
        (format!("@{}", body.display()), format!("https://{}/v2/files", scene.at(API)));
    for version in ["--http1.1", "--http2"] {
        let reply = guest.curl(&[version, &format!("{unlisted}/")]).unwrap();
        assert_eq!((reply.status, reply.at_connect), (403, false), "{version}");
        assert!(reply.body.contains("The host is not on the allow-list."), "{}", reply.body);
        let sent = ["--header", "Expect:", "--data-binary", &body, version, &upload];
        let reply = guest.curl(&sent).unwrap();
        assert_eq!(reply.reason.as_deref(), Some("path_not_allowed"), "{version}");
    }
    // Over HTTP/1.1 curl asks first.
    let reply = guest.curl(&["--data-binary", &body, "--http1.1", &upload]).unwrap();
    assert_eq!(reply.reason.as_deref(), Some("path_not_allowed"));
    assert!(!reply.headers.contains("HTTP/1.1 100"), "{}", reply.headers);
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
