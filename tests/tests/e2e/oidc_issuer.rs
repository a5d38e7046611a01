//! Sessions of an issuer that nobody here wrote, the Node package `oidc-provider`, which changes its keys while
//! guests are at work.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use stack::authority::Authority;
use stack::issuer::{self, Published};
use stack::oidc_provider::OidcProvider;
use stack::origin::OriginSettings;
use stack::policy::ORIGIN_PORT;
use stack::{Credential, Stack};
use tests::guest::{self, Connected};
use tests::scene::{API, LEASED, SECRET, Scene};
use tests::wire::Wire;

const AUDIENCE: &str = "leasehold-edge";
/// Longer than the time between two fetches of edge and custody, and a tick of the edge.
const KNOWN: Duration = Duration::from_millis(2500);
const GUESTS: usize = 3;

/// The provider. Dropping it ends it.
struct Provider {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    issuer: String,
}

impl Provider {
    fn start(folder: &std::path::Path, authority: &Authority) -> Self {
        let [certificate, key] = authority.identity(&["localhost".to_owned()]).unwrap();
        let claims = json!({"team": "demo"});
        let config = json!({"key": key, "certificate": certificate, "ca": authority.pem(),
            "audience": AUDIENCE, "claims": claims});
        let file = folder.join("provider.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let OidcProvider { node, modules } = OidcProvider::fetch(&|_| {}).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/oidc_issuer/server.mjs");
        let mut node = Command::new(node);
        node.arg(script).arg(modules).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = node.spawn().unwrap();
        let commands = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap());
        let port = line(&mut answers);
        let issuer = format!("https://localhost:{port}");
        let mut provider = Self { process, commands, answers, issuer };
        provider.ask("publish k1");
        provider
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        line(&mut self.answers)
    }

    /// What it publishes, for Envoy's cluster.
    fn published(&mut self) -> Published {
        Published::Answer { status: 200, body: self.ask("keys") }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn line(answers: &mut impl BufRead) -> String {
    answers.lines().next().expect("the provider ended").unwrap()
}

fn scene(provider: &mut Provider, ca: &std::path::Path) -> Scene {
    let entry = |keys: Value| json!({"issuer": provider.issuer, "audiences": [AUDIENCE], "algorithms": ["ES256"], "keys": keys});
    let at_edge =
        entry(json!({"cluster": issuer::CLUSTER, "authority": issuer::NAME, "path": "/jwks",
        "refresh": "1s"}));
    let url = format!("{}/jwks", provider.issuer);
    let at_custody = entry(json!({"url": url, "ca": ca, "refresh": "1s"}));
    let policy = json!({
        "session": {"issuers": [at_edge]},
        "destinations": [{
            "name": "api",
            "hosts": [API],
            "ports": [ORIGIN_PORT],
            "allow": [{"methods": ["GET"], "paths": ["/**"]}],
            "sessions": {"claims": {"team": ["demo"]}},
            "credential": {"handle": "api"},
        }],
    });
    let builder = Stack::builder()
        .policy(policy)
        .origin(OriginSettings::new([API]))
        .credential(Credential::bearer("api", SECRET))
        .custody_session(json!({"issuers": [at_custody]}));
    let stack = builder.start().unwrap_or_else(|error| panic!("{error:#}"));
    stack.issuer().unwrap().publish(provider.published());
    let session = provider.ask("token");
    Scene { stack, session }
}

/// One request in a tunnel of its own: the status, and the reason of a denial.
fn call(scene: &Scene, token: &str) -> (u16, Option<String>) {
    let tunnel = match scene.connect(&scene.at(API), token).unwrap() {
        Connected::Tunnel(tunnel) => tunnel,
        Connected::Refused(reply) => return (reply.status, reply.reason()),
    };
    let ca = scene.stack.guest_ca().unwrap();
    let tls = guest::tls(tunnel, ca, Some(API), "http/1.1").unwrap();
    let reply = Wire::new(tls).exchange(scene.get(API, "/v1/models")).unwrap();
    (reply.status, reply.reason())
}

/// Publish, wait, sign, wait, withdraw: how an issuer rotates so that no token of its own is refused.
#[test]
fn no_request_is_denied_while_a_real_issuer_rotates_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("Leasehold test of an issuer").unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let mut provider = Provider::start(folder.path(), &authority);
    let scene = scene(&mut provider, &ca);
    let first = scene.session.clone();
    let (token, ended) = (Mutex::new(first.clone()), AtomicBool::new(false));
    let (served, denied) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..GUESTS {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let now = token.lock().unwrap().clone();
                    match call(&scene, &now) {
                        (200, None) => drop(served.fetch_add(1, Ordering::Relaxed)),
                        other => denied.lock().unwrap().push(other),
                    }
                }
            });
        }
        for (old, new) in [("k1", "k2"), ("k2", "k3")] {
            for command in
                [format!("publish {new}"), format!("sign {new}"), format!("withdraw {old}")]
            {
                provider.ask(&command);
                scene.stack.issuer().unwrap().publish(provider.published());
                *token.lock().unwrap() = provider.ask("token");
                thread::sleep(KNOWN);
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    let denied = denied.into_inner().unwrap();
    let (served, first_denied) = (served.into_inner(), denied.first());
    assert!(denied.is_empty(), "{} denied, {served} served: {first_denied:?}", denied.len());
    let arrived = scene.stack.origin().unwrap().requests();
    assert!(arrived.len() > 50, "{} requests", arrived.len());
    let leased =
        |seen: &stack::origin::Seen| seen.authorization().as_deref() == Some(LEASED.as_bytes());
    assert!(arrived.iter().all(leased));
    // The key of the first token is withdrawn.
    assert_eq!(call(&scene, &first), (407, Some("session_unknown_key".to_owned())));
    assert_eq!(call(&scene, &token.into_inner().unwrap()), (200, None));
}
