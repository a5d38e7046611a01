//! The pages, walked from top to bottom as somebody would who has just come: every command typed as it
//! stands, in a network where all ports are free and the world is what [`World`] makes of it.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use stack::origin::fingerprint;
use tests::namespace;

use crate::blocks::{self, Block};
use crate::clone::{Clone, Tools};
use crate::shell::Shell;
use crate::world::World;

/// The pages with commands to run.
pub const PAGES: [&str; 5] = [
    "docs/own-envoy.md",
    "docs/by-hand.md",
    "docs/runbook.md",
    "deploy/kustomize/README.md",
    "envoy/istio/README.md",
];

/// A custody that serves, with the grant and the credential that the runbook speaks of, and an
/// authority of leaves beside it.
const CUSTODY: &str = r#"
session-jwt keygen --out session-key.pem
session-jwt jwks session-key.pem > key.json
custody init custody --jwks key.json --issuer https://control-plane.example
cd custody
leaf-ca init leaf-ca
echo secret | custody cred put github-ci
sed -i '/^grants: \[\]/d' custody.yaml
cat >> custody.yaml <<'END'
grants: [{handle: github-ci, destinations: [api.github.com], claims: {team: [build]}}]
END
custody serve 2> custody.log &
until curl --silent --fail http://127.0.0.1:8444/healthz; do sleep 0.2; done
"#;

fn commands(page: &str) -> Vec<Block> {
    let blocks = blocks::of(Path::new(page));
    let blocks: Vec<_> =
        blocks.into_iter().filter(|block| ["run", "background"].contains(&&*block.what)).collect();
    assert!(!blocks.is_empty(), "{page} has no commands");
    blocks
}

/// The own Envoy, in eight steps.
#[test]
fn the_own_envoy_step_by_step() {
    Tools::fetch();
    namespace::alone("walks::the_own_envoy_step_by_step", || {
        let (world, clone) = (World::start(), Clone::new());
        let mut shell = Shell::open(&clone);
        let path = shell.run("export PATH=\"$PWD/target/release:$PATH\"; echo $PATH");
        assert!(path.contains("release"));
        let configuration = clone.root().join("../leasehold-edge/edge.yaml");
        let mut said = String::new();
        for block in commands("docs/own-envoy.md") {
            said = shell.run(&block.text);
            if configuration.is_file() && world.origin.requests().is_empty() {
                world.found_by(&configuration);
            }
        }
        assert!(said.contains("\"path\":\"/repos/acme/site\""), "{said}");
        assert!(said.contains("x-deny-reason: method_not_allowed"), "{said}");
        let requests = world.origin.requests();
        assert_eq!(requests.len(), 1, "{said}");
        let leased = fingerprint(b"Bearer just-to-try");
        assert_eq!(requests[0].credential_fingerprint(), Some(leased), "{said}");
    });
}

#[test]
fn the_demo_prints_what_the_readme_says() {
    Tools::fetch();
    namespace::alone("walks::the_demo_prints_what_the_readme_says", || {
        let clone = Clone::new();
        let printed = Shell::open(&clone).run("cargo xtask demo");
        let blocks = blocks::of(Path::new("README.md"));
        let told = blocks.iter().find(|block| block.kind() == ("text", "demo")).unwrap();
        let told = faceless(&told.text);
        let printed = faceless(&printed);
        assert!(printed.contains(&told), "README.md says\n{told}\nand the demo\n{printed}");
    });
}

/// Without the fingerprints, which are others each time, and without blanks at the ends of lines.
fn faceless(text: &str) -> String {
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let is_fingerprint =
        |word: &str| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| match word.char_indices().next_back() {
            Some((at, end)) if is_fingerprint(&word[..at]) => format!("FINGERPRINT{end}"),
            _ => word.to_owned(),
        })
        .collect()
}

#[test]
fn the_demo_kept_running() {
    Tools::fetch();
    namespace::alone("walks::the_demo_kept_running", || {
        let clone = Clone::new();
        let mut running = None;
        let mut shell = Shell::open(&clone);
        let mut said = String::new();
        for block in commands("docs/by-hand.md") {
            if block.what == "background" {
                // One at a time may run.
                drop(running.take());
                running = Some(kept_running(&clone, &block.text));
            } else {
                said = shell.run(&block.text);
            }
        }
        assert_eq!(said.matches("\"path\":\"/v1/models\"").count(), 2, "{said}");
        assert!(said.contains("x-deny-reason: path_not_allowed"), "{said}");
        assert!(said.contains("'path': '/v1/models'"), "Python: {said}");
        assert!(said.contains("path: '/v1/models'"), "Node: {said}");
    });
}

/// Typed in a second shell, and left there, once it is up.
fn kept_running(clone: &Clone, text: &str) -> Shell {
    let notes = clone.root().join("target/leasehold/up.json");
    let _ = std::fs::remove_file(&notes);
    // What ran before lets go of its port as its programs end.
    while TcpListener::bind(("127.0.0.1", 3128)).is_err() {
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut shell = Shell::open(clone);
    shell.run(&format!("{{\n{text}\n}} > up.log 2>&1 &"));
    let since = Instant::now();
    while !notes.is_file() {
        let log = || std::fs::read_to_string(clone.root().join("up.log")).unwrap_or_default();
        assert!(since.elapsed() < Duration::from_secs(120), "{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    shell
}

#[test]
fn the_runbook_on_a_custody_that_serves() {
    Tools::fetch();
    namespace::alone("walks::the_runbook_on_a_custody_that_serves", || {
        let clone = Clone::new();
        let mut shell = Shell::open(&clone);
        shell.run("export PATH=\"$PWD/target/release:$PATH\"; mkdir ../run && cd ../run");
        shell.run(CUSTODY);
        let said: String =
            commands("docs/runbook.md").iter().map(|block| shell.run(&block.text)).collect();
        for told in ["granted", "kill switch", "dropped: key-", "in order (grants: 1)"] {
            assert!(said.to_lowercase().contains(told), "nothing says {told}: {said}");
        }
    });
}

/// Up to the cluster's door: the keys are made, every secret has the files it names, every manifest is
/// there and renders.
#[test]
fn the_manifests_as_far_as_a_cluster() {
    let clone = Clone::new();
    for page in ["deploy/kustomize/README.md", "envoy/istio/README.md"] {
        let mut shell = Shell::open(&clone);
        shell.run("export PATH=\"$PWD/target/release:$PATH\"");
        shell.run("[ -f jwks.json ] || session-jwt keygen --out key.pem");
        shell.run("session-jwt jwks key.pem > jwks.json");
        let said: String = commands(page).iter().map(|block| shell.run(&block.text)).collect();
        assert!(said.contains("kind: Secret") && said.contains("kind: StatefulSet"), "{said}");
    }
}
