//! Schemathesis over every listener's description: with a good, a foreign and no client certificate.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use common::Running;
use common::stores::Store;
use common::workers::WorkersHome;
use common::{custody, run};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// No 5xx; no status, type or body that is not described; nothing is taken that the schemas forbid. Without
/// `positive_data_acceptance`: a schema cannot state that an A-label decodes, that the headers of a set have
/// different names, or a limit in bytes.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance,\
                      negative_data_rejection,unsupported_method,allow_header_conformance";

/// One listener, and the certificate that opens it; the foreign one is good at another.
struct Listener {
    tag: &'static str,
    address: SocketAddr,
    own: &'static str,
    foreign: &'static str,
}

fn listeners(running: &Running) -> [Listener; 3] {
    [
        Listener { tag: "edge", address: running.edge, own: "edge-client", foreign: "operator" },
        Listener {
            tag: "workers",
            address: running.workers,
            own: "worker",
            foreign: "edge-client",
        },
        Listener { tag: "admin", address: running.admin, own: "operator", foreign: "worker" },
    ]
}

/// Mints what a hook of Schemathesis asks for. Plain HTTP on loopback.
async fn mint(home: Arc<WorkersHome>) -> SocketAddr {
    async fn capability(
        State(home): State<Arc<WorkersHome>>,
        Query(asked): Query<BTreeMap<String, String>>,
    ) -> String {
        home.token(&asked["op"], &asked["actor"], &asked["service"])
    }
    async fn lease(State(home): State<Arc<WorkersHome>>) -> String {
        let jti = format!("jti-{}", getrandom::u64().unwrap());
        let mut request = home.home.request();
        request["session"] = home.home.token_with("jti", jti.into()).into();
        request.to_string()
    }
    let routes = Router::new().route("/capability", get(capability)).route("/lease", get(lease));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes.with_state(home)).await });
    address
}

/// The description of one listener's operations: another has the same path with other methods.
fn describe(document: &Value, tag: &str) -> Value {
    let mut document = document.clone();
    for verbs in document["paths"].as_object_mut().unwrap().values_mut() {
        verbs.as_object_mut().unwrap().retain(|_, operation| operation["tags"][0] == tag);
    }
    document["paths"].as_object_mut().unwrap().retain(|_, verbs| *verbs != json!({}));
    document
}

struct Judge {
    program: PathBuf,
    folder: tempfile::TempDir,
    mint: SocketAddr,
    examples: String,
}

/// What one run came to.
struct Outcome {
    is_good: bool,
    text: String,
    /// Answers there were, by status.
    answers: BTreeMap<u64, usize>,
}

impl Judge {
    /// Schemathesis on the operations of this tag.
    fn judge(&self, home: &Path, listener: &Listener, certificate: Option<&str>) -> Outcome {
        let har = self.folder.path().join("answers.har");
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path());
        command.args(["run", &format!("{}.json", listener.tag), "--checks", CHECKS]);
        // Nothing answers without the listener's own certificate, so one question each is enough.
        let is_own = certificate == Some(listener.own);
        let (phases, examples) =
            if is_own { ("coverage,fuzzing", &*self.examples) } else { ("fuzzing", "1") };
        command.args(["--phases", phases, "--max-examples", examples]);
        command.args(["--suppress-health-check", "all", "--continue-on-failure", "--no-shrink"]);
        command.args(["--request-timeout", "20", "--warnings", "off", "--no-color"]);
        command.arg("--url").arg(format!("https://{}", listener.address));
        command.arg("--tls-verify").arg(home.join("ca.pem"));
        if let Some(name) = certificate {
            command.arg("--request-cert").arg(home.join(format!("{name}.pem")));
            command.arg("--request-cert-key").arg(home.join(format!("{name}.key")));
        }
        command.arg("--report-har-path").arg(&har);
        let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis");
        command.env("PYTHONPATH", hooks).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("SCHEMATHESIS_HOOKS", "leasehold_hooks");
        command.env("LEASEHOLD_MINT", format!("http://{}", self.mint));
        let output = command.output().unwrap();
        let text = common::text(&output);
        let har: Value = serde_json::from_slice(&fs::read(har).unwrap()).unwrap();
        let mut answers = BTreeMap::new();
        for entry in har["log"]["entries"].as_array().unwrap() {
            let status = entry["response"]["status"].as_u64().unwrap_or(0);
            *answers.entry(status).or_default() += usize::from(status > 0);
        }
        Outcome { is_good: output.status.success(), text, answers }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo xtask schemathesis"]
async fn schemathesis_finds_nothing_on_any_listener() {
    let workers = Arc::new(WorkersHome::new(Store::Sqlite));
    let running = workers.home.serve();
    let folder = tempfile::tempdir().unwrap();
    let document = serde_json::from_slice(&run(custody().arg("openapi"), b"").stdout).unwrap();
    for Listener { tag, .. } in listeners(&running) {
        let described = describe(&document, tag).to_string();
        fs::write(folder.path().join(format!("{tag}.json")), described).unwrap();
    }
    let examples = std::env::var("LEASEHOLD_EXAMPLES").unwrap_or_else(|_| "30".into());
    let program = stack::clients::schemathesis().unwrap();
    let mint = mint(Arc::clone(&workers)).await;
    let judge = Arc::new(Judge { program, folder, mint, examples });
    for listener in listeners(&running) {
        let home = workers.home.path("");
        for certificate in [Some(listener.own), Some(listener.foreign), None] {
            let outcome = judge.judge(&home, &listener, certificate);
            let whose = certificate.unwrap_or("none");
            eprintln!("{}, certificate {whose}: {:?}", listener.tag, outcome.answers);
            if certificate == Some(listener.own) {
                assert!(outcome.is_good, "{}", outcome.text);
                assert!(outcome.answers.contains_key(&200), "{}", outcome.text);
            } else {
                let answered: usize = outcome.answers.values().sum();
                assert_eq!(answered, 0, "{}", outcome.text);
            }
        }
    }
}
