//! A custody of its own for every test: the real binary, real TLS, loopback, ports of the system's
//! choice.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod authority;
pub mod bao;
pub mod client;
pub mod github;
pub mod peer;
pub mod receiver;
pub mod scan;
pub mod shelf;
pub mod sources;
#[path = "../stores/mod.rs"]
pub mod stores;
pub mod workers;

use custody_base::files::create_private;
use lease::{Authority, fingerprint};
use serde_json::{Value, json};
use session::Algorithm;
use session::mint::SigningKey;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stores::{Database, Store};

pub const CANARY: &str = "canary-7Qv+w/2hX_9d41c6e0b8";
pub const ISSUER: &str = "https://control-plane.example";
pub const AUDIENCE: &str = "leasehold-edge";
/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `custody init` made, with a control plane of the test's own.
pub struct Home {
    pub temporary: tempfile::TempDir,
    pub key: SigningKey,
    /// Unless its ledger is a file.
    pub database: Option<Database>,
}

/// A running `custody serve`.
pub struct Running {
    pub child: Child,
    pub edge: SocketAddr,
    pub admin: SocketAddr,
    pub health: SocketAddr,
    pub workers: SocketAddr,
    pub log: Arc<Mutex<String>>,
    lines: Receiver<String>,
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub fn custody() -> Command {
    Command::new(env!("CARGO_BIN_EXE_custody"))
}

/// Runs to the end with this standard input.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not read its input is fine: its exit status is what counts.
    let _ = child.stdin.take().unwrap().write_all(input);
    let (pid, (sender, ended)) = (child.id(), channel());
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            // A `serve` that should have refused to start would run for ever.
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).status();
            panic!("{command:?} does not end");
        }
    }
}

pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

impl Home {
    /// A home with the credential `github-ci`, granted to the team `build` for api.github.com.
    pub fn new(store: Store) -> Self {
        let home = Self::bare(store);
        home.put("github-ci", &[], CANARY);
        home.grants(
            "- {handle: github-ci, destinations: [api.github.com, '*.github.example:8443'],
     claims: {team: [build]}, methods: [GET, HEAD]}
  - {handle: not-stored, destinations: [api.github.com], claims: {team: [build]}}
  - {handle: long, destinations: [api.github.com], claims: {team: [build]}, ttl: 15m}",
        );
        home
    }

    /// A home that grants nothing.
    pub fn bare(store: Store) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let key = SigningKey::generate(Algorithm::EdDsa, Some("k1")).unwrap();
        let jwks = temporary.path().join("public.json");
        fs::write(&jwks, key.public_jwks().to_string()).unwrap();
        let folder = temporary.path().join("custody");
        let output = run(
            custody()
                .args(["init", "--edge-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
                .args(["--health-listen", "127.0.0.1:0"])
                .args(["--issuer", ISSUER, "--audience", AUDIENCE, "--jwks"])
                .args([&jwks, &folder]),
            b"",
        );
        assert!(output.status.success(), "{}", text(&output));
        let home = Self { temporary, key, database: store.database() };
        if let Some(database) = &home.database {
            home.keep_in(database);
        }
        home
    }

    /// The ledger is there, and not in a file.
    fn keep_in(&self, database: &Database) {
        create_private(&self.path("database.url"), database.url().as_bytes()).unwrap();
        let ca = database.ca();
        self.edit(
            "  path: custody.db",
            &format!("  postgres: {{url_file: database.url, ca: {}}}", ca.display()),
        );
    }

    /// As `custody key rotate --help` says, up to the rotation.
    pub fn replace_root_key(&self) {
        fs::rename(self.path("root.key"), self.path("root.old.key")).unwrap();
        let made = run(custody().args(["key", "new"]).arg(self.path("root.key")), b"");
        assert!(made.status.success(), "{}", text(&made));
        self.edit(
            "  root_key: root.key",
            "  root_key: root.key\n  previous_root_keys: [root.old.key]",
        );
    }

    /// Changes rows of the ledger behind custody's back.
    pub fn tamper(&self, statement: &str) {
        match &self.database {
            Some(database) => database.run(statement),
            None => {
                let file = rusqlite::Connection::open(self.path("custody.db")).unwrap();
                file.execute_batch(statement).unwrap();
            }
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join("custody").join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.path("custody.yaml")
    }

    pub fn audit(&self) -> PathBuf {
        self.path("audit.jsonl")
    }

    pub fn edit(&self, from: &str, to: &str) {
        let before = fs::read_to_string(self.config()).unwrap();
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{from}");
        fs::write(self.config(), after).unwrap();
    }

    /// Puts sections behind the configuration.
    pub fn append(&self, sections: &str) {
        let before = fs::read_to_string(self.config()).unwrap();
        fs::write(self.config(), format!("{before}\n{sections}")).unwrap();
    }

    pub fn grants(&self, list: &str) {
        self.edit("grants: []", &format!("grants:\n  {list}"));
    }

    pub fn put(&self, handle: &str, arguments: &[&str], secret: &str) {
        let output = run(
            custody().args(["cred", "put", handle, "--config"]).arg(self.config()).args(arguments),
            secret.as_bytes(),
        );
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Claims of a session of the team `build`.
    pub fn claims(&self) -> Value {
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ci-job-7", "jti": "jti-1",
            "iat": now(), "exp": now() + 3600, "team": "build"})
    }

    pub fn token(&self) -> String {
        self.key.sign(&self.claims()).unwrap()
    }

    pub fn token_with(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[name] = value;
        self.key.sign(&claims).unwrap()
    }

    /// A lease request of a session of the team `build`, as JSON.
    pub fn request(&self) -> Value {
        json!({"session": self.token(), "handle": "github-ci", "destination": "api.github.com:443",
            "method": "GET", "path": "/repos/acme/x?token=in-the-query", "binding": "session"})
    }

    /// A single-use request for this handle, for the operation of this idempotency key.
    pub fn once(&self, handle: &str, key: &str) -> Value {
        let destination = Authority::parse(b"api.github.com", 443).unwrap();
        let fingerprint = fingerprint("GET", &destination, "/pay", Some(key), None);
        json!({"session": self.token(), "handle": handle, "destination": "api.github.com:443",
            "method": "GET", "path": "/pay", "binding": "single_use", "idempotency_key": key,
            "fingerprint": fingerprint})
    }

    pub fn serve(&self) -> Running {
        Running::start(&self.config())
    }

    pub fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.audit()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn verify(&self) -> Output {
        run(custody().args(["audit", "verify"]).arg(self.audit()), b"")
    }
}

impl Running {
    pub fn start(config: &Path) -> Self {
        let mut child = custody()
            .args(["serve", "--log-format", "json", "--log-level", "debug", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        let log = Arc::new(Mutex::new(String::new()));
        let copy = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                copy.lock().unwrap().push_str(&format!("{line}\n"));
                let _ = sender.send(line);
            }
        });
        let nowhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (edge, admin, health, workers) = (nowhere, nowhere, nowhere, nowhere);
        let mut running = Self { child, edge, admin, health, workers, log, lines };
        let line = running.wait_for("\"listening\"");
        let fields: Value = serde_json::from_str(&line).unwrap();
        let address = |name: &str| fields["fields"][name].as_str().unwrap().parse().unwrap();
        (running.edge, running.health) = (address("edge"), address("health"));
        if !fields["fields"]["admin"].is_null() {
            running.admin = address("admin");
        }
        if !fields["fields"]["workers"].is_null() {
            running.workers = address("workers");
        }
        running
    }

    /// The next log line that holds this text.
    pub fn wait_for(&self, text: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(_) => panic!("no {text} in the log:\n{}", self.log.lock().unwrap()),
            }
        }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(status.success());
    }

    /// SIGTERM and the exit code.
    pub fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
