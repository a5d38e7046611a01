//! The program itself: what it prints, how it ends, what it does on a signal.

#![allow(clippy::unwrap_used, reason = "a test that fails may say so this way")]

mod common;

use common::{PATIENCE, Stream, channel, pems};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// A folder with an authority and a policy.
struct Place(tempfile::TempDir);

impl Place {
    async fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let init = leaf_ca(&["init", &place.text("ca")]).await;
        assert!(init.status.success(), "{init:?}");
        place.policy("hosts: [api.example.com]");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn policy(&self, text: &str) {
        fs::write(self.path("policy.yaml"), text).unwrap();
    }

    fn serve(&self, listen: &str) -> Vec<String> {
        let (ca, policy) = (self.text("ca"), self.text("policy.yaml"));
        ["serve", "--ca", &ca, "--policy", &policy, "--listen", listen].map(str::to_owned).into()
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leaf-ca"));
    command.env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn leaf_ca<T: AsRef<str>>(args: &[T]) -> Output {
    let mut command = command();
    command.args(args.iter().map(AsRef::as_ref));
    timeout(PATIENCE, command.output()).await.expect("it ends by itself").unwrap()
}

/// Starts it and waits for the line with its address.
async fn started(args: &[String], log: &Path) -> (Child, String) {
    let log = fs::File::create(log).unwrap();
    let mut child = command().args(args).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let address = line.strip_prefix("listening on ").expect(&line).to_owned();
    (child, address)
}

async fn signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().await.unwrap().success());
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn init_says_what_is_next_and_never_overwrites() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca").display().to_string();
    let first = leaf_ca(&["init", &ca, "--name", "Acme egress", "--days", "30"]).await;
    let text = String::from_utf8(first.stdout).unwrap();
    assert_eq!(first.status.code(), Some(0));
    assert!(text.contains("leaf-ca serve --ca") && text.contains("SSL_CERT_FILE"), "{text}");

    let key = fs::read(dir.path().join("ca/ca.key")).unwrap();
    let second = leaf_ca(&["init", &ca]).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("exists; remove it first"));
    assert_eq!(fs::read(dir.path().join("ca/ca.key")).unwrap(), key);

    fs::remove_file(dir.path().join("ca/ca.pem")).unwrap();
    assert_eq!(leaf_ca(&["init", &ca]).await.status.code(), Some(1), "the key alone is enough");
}

#[tokio::test]
async fn init_on_a_full_disk_leaves_no_half_authority() {
    let place = tempfile::tempdir().unwrap();
    // As long as it is in force, no file may have more than one block of 512 bytes: enough for the key.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" init ca"]);
    shell.arg(env!("CARGO_BIN_EXE_leaf-ca")).current_dir(&place).kill_on_drop(true);
    let output = timeout(PATIENCE, shell.output()).await.expect("it ends by itself").unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "leaf-ca: ca/ca.pem: File too large (os error 27)\n");
    assert_eq!(fs::read_dir(place.path().join("ca")).unwrap().count(), 0);
    let again = leaf_ca(&["init", &place.path().join("ca").display().to_string()]).await;
    assert!(again.status.success(), "{again:?}");
}

#[tokio::test]
async fn wrong_command_lines() {
    let place = Place::new().await;
    let ca = place.text("ca");
    for (args, told) in [
        (place.serve("0.0.0.0:0"), "can be reached from other machines"),
        (place.serve("somewhere"), "expected `unix:PATH` or a loopback address"),
        ([place.serve("127.0.0.1:0"), vec!["--days=0".into()]].concat(), "1..=90"),
        ([place.serve("127.0.0.1:0"), vec!["--max-names=0".into()]].concat(), "1 to 100000"),
        ([place.serve("127.0.0.1:0"), vec!["--socket-mode=0666".into()]].concat(), "0660"),
        ([place.serve("127.0.0.1:0"), vec!["--allow=*.com".into()]].concat(), "public suffix"),
        (["serve", "--ca", &ca, "--listen", "unix:s"].map(str::to_owned).into(), "--policy"),
        (["init", &ca, "--name", ""].map(str::to_owned).into(), "1 to 64"),
        (vec![], "Usage"),
    ] {
        let output = leaf_ca(&args).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(told), "{args:?}: {}", stderr(&output));
    }
}

#[tokio::test]
async fn what_it_refuses_to_start_with() {
    let place = Place::new().await;
    let args = place.serve("127.0.0.1:0");
    let refused = async |told: &str| {
        let output = leaf_ca(&args).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    };
    let policy = place.text("policy.yaml");
    place.policy("hosts: ['*.com', 'a b']");
    refused(&format!("leaf-ca: {policy}: hosts[0]: \"*.com\" covers a public suffix")).await;
    refused(&format!("{policy}: hosts[1]: \"a b\" is not a host")).await;
    fs::remove_file(place.path("policy.yaml")).unwrap();
    refused("cannot read the policy").await;
    place.policy("hosts: [api.example.com]");

    let key = place.path("ca/ca.key");
    fs::set_permissions(&key, Permissions::from_mode(0o604)).unwrap();
    refused(&format!("chmod 600 {}", key.display())).await;
    fs::remove_file(&key).unwrap();
    refused("ca.key is not there; `leaf-ca init DIR` makes an authority").await;
    fs::create_dir(&key).unwrap();
    refused("ca.key: is a directory").await;
}

#[tokio::test]
async fn serves_over_tcp_and_is_healthy() {
    let place = Place::new().await;
    let (child, address) = started(&place.serve("127.0.0.1:0"), &place.path("log")).await;
    let channel = channel(&address).await;
    pems(&Stream::open(&channel).await.ask("api.example.com").await);

    let service = "envoy.service.secret.v3.SecretDiscoveryService".to_owned();
    let health = HealthClient::new(channel).check(HealthCheckRequest { service }).await.unwrap();
    assert_eq!(health.into_inner().status, 1, "SERVING");
    drop(child);
}

#[tokio::test]
async fn a_life_with_every_signal() {
    let place = Place::new().await;
    let socket = place.path("leaf-ca.sock");
    let args = place.serve(&format!("unix:{}", socket.display()));
    let (mut child, address) = started(&args, &place.path("log")).await;
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let taken = leaf_ca(&args).await;
    assert_eq!(taken.status.code(), Some(1));
    assert!(stderr(&taken).contains("somebody else listens"), "{}", stderr(&taken));

    let mut stream = Stream::open(&channel(&address).await).await;
    pems(&stream.ask("api.example.com").await);

    // A wrong policy changes nothing; that it was read shows in the log alone.
    place.policy("hosts: ['*.com']");
    signal(&child, "-HUP").await;
    let refused = async {
        while !fs::read_to_string(place.path("log")).unwrap().contains("leaf-ca uses the old one") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("a line in the log");
    pems(&stream.ask("api.example.com").await);

    place.policy("hosts: [new.example.com]");
    signal(&child, "-HUP").await;
    assert_eq!(stream.next().await.unwrap().removed_resources, ["api.example.com"]);
    pems(&stream.ask("new.example.com").await);

    signal(&child, "-TERM").await;
    assert!(stream.next().await.is_err());
    assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(0));
    assert!(!socket.exists());

    let log = fs::read_to_string(place.path("log")).unwrap();
    assert!(log.contains("minted name=api.example.com"), "{log}");
    assert!(!log.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_socket_left_by_a_killed_run_is_replaced() {
    let place = Place::new().await;
    let args = place.serve(&format!("unix:{}", place.text("s")));
    let (mut child, _) = started(&args, &place.path("log")).await;
    child.kill().await.unwrap();
    assert!(place.path("s").exists());
    let (mut child, address) = started(&args, &place.path("log")).await;
    pems(&Stream::open(&channel(&address).await).await.ask("api.example.com").await);
    signal(&child, "-INT").await;
    assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(0));
    assert!(!place.path("s").exists());
}

#[tokio::test]
async fn refusals_are_logged_without_what_a_guest_could_forge() {
    let place = Place::new().await;
    let args = [place.serve("127.0.0.1:0"), vec!["--log-format=json".into()]].concat();
    let (child, address) = started(&args, &place.path("log")).await;
    let mut stream = Stream::open(&channel(&address).await).await;
    stream.ask("evil\n{\"level\":\"INFO\"}\u{1b}[2J").await;
    stream.ask(&"x".repeat(5000)).await;
    drop(child);
    let log = fs::read_to_string(place.path("log")).unwrap();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("refused")).collect();
    assert_eq!(refused.len(), 2, "{log}");
    assert!(!log.contains('\u{1b}'));
    assert!(refused.iter().all(|line| line.starts_with("{\"timestamp\"") && line.len() < 1000));
}
