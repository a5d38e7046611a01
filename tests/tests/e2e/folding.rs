//! Header names as CGI-style servers read them: a real one, Python's `wsgiref`, is the destination. Whatever a
//! guest writes, the variable of the leased header holds the lease and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use stack::authority::Authority;
use stack::child::Running;
use stack::{Credential, Stack};
use tempfile::TempDir;
use tests::reply::Reply;
use tests::scene::{API, Scene};
use tests::wire::Wire;

use crate::wide::wait_until;

const SECRET: &str = "folded-secret-2c9f";
const GUESTS_OWN: &str = "guests-own";

/// The characters of a header name beside letters and digits (RFC 9110 section 5.6.2).
const MARKS: [char; 15] =
    ['!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'];

/// The server; it ends when this is dropped.
struct Server {
    _running: Running,
    folder: TempDir,
    port: u16,
    roots: String,
}

// === impl Server ===

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let authority = Authority::new("Leasehold CGI origin").unwrap();
        let [certificate, key] = authority.identity(&[API.to_owned()]).unwrap();
        fs::write(at("server.pem"), certificate).unwrap();
        fs::write(at("server.key"), key).unwrap();
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/folding/server.py");
        let mut command = Command::new("python3");
        command.args(["-I", program]).arg(at("server.pem")).arg(at("server.key")).arg(at("port"));
        let running = Running::start("python3", &command, &at("server.log")).unwrap();
        wait_until("the server's port", || at("port").is_file());
        let port = fs::read_to_string(at("port")).unwrap().parse().unwrap();
        Self { _running: running, folder, port, roots: authority.pem() }
    }

    /// A stack whose destination is the server, with a credential in `header`.
    fn scene(&self, header: &str) -> Scene {
        let roots = self.folder.path().join("roots.pem");
        fs::write(&roots, &self.roots).unwrap();
        let destination = json!({
            "name": "cgi", "hosts": [API], "ports": [self.port],
            "allow": [{"methods": ["GET"], "paths": ["/**"]}],
            "credential": {"handle": "cgi"},
        });
        let credential = match header {
            "authorization" => Credential::bearer("cgi", SECRET),
            _ => Credential::with("cgi", &["--type", "header", "--header", header], SECRET),
        };
        let builder = Stack::builder().policy(json!({"destinations": [destination]}));
        Scene::start(builder.upstream_ca(&roots).credential(credential))
    }

    fn get(&self, lines: &str) -> String {
        format!("GET /v1 HTTP/1.1\r\nHost: {API}:{}\r\n{lines}\r\n", self.port)
    }
}

/// What the server read, with names folded as the strictest servers do: all that is not a letter or a digit
/// is `_`.
fn folded(reply: &Reply) -> BTreeMap<String, Vec<String>> {
    let mut folded: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, value) in reply.json().as_object().into_iter().flatten() {
        let fold = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let Value::String(value) = value else { continue };
        folded.entry(name.chars().map(fold).collect()).or_default().push(value.clone());
    }
    folded
}

/// Every way to write a name whose folded form is that of `header`: one mark in all places, and marks mixed.
fn spellings(header: &str) -> Vec<String> {
    let mut spellings = vec![header.to_owned(), header.to_ascii_uppercase()];
    if !header.contains('-') {
        return spellings;
    }
    for mark in MARKS {
        spellings.push(header.replace('-', &mark.to_string()));
        spellings.push(header.replacen('-', &mark.to_string(), 1));
        spellings.push(header.to_ascii_uppercase().replace('-', &mark.to_string()));
    }
    spellings
}

fn assert_only_the_lease(header: &str, leased: &str) {
    let server = Server::start();
    let scene = server.scene(header);
    let at = format!("{API}:{}", server.port);
    let tls = scene.tls_with(&at, Some(API), &scene.session).unwrap();
    let mut wire = Wire::new(tls);
    let variable = format!("HTTP_{}", header.to_ascii_uppercase().replace('-', "_"));
    let mut check = |lines: &str, case: &str| {
        let reply = wire.exchange(server.get(lines)).unwrap();
        assert_eq!((reply.status, reply.reason()), (200, None), "{case}: {}", reply.text());
        let folded = folded(&reply);
        assert_eq!(folded.get(&variable).unwrap(), &[leased], "{case}");
        assert!(!reply.text().contains(GUESTS_OWN), "{case}: {}", reply.text());
    };
    check("", "nothing beside it");
    for name in spellings(header) {
        let line = format!("{name}: {GUESTS_OWN}\r\n");
        check(&line, &name);
        check(&line.repeat(2), &format!("{name}, twice"));
        check(&format!("X-Before: 1\r\n{line}{header}: {GUESTS_OWN}\r\n"), &name);
        let connection = format!("Connection: keep-alive, {name}\r\n");
        check(&format!("{line}{connection}"), &format!("{name}, and named in Connection"));
    }
    let lines: String =
        spellings(header).iter().map(|name| format!("{name}: {GUESTS_OWN}\r\n")).collect();
    check(&lines, "all of them");
}

#[test]
fn folded_variable_of_a_leased_header_holds_the_lease_alone() {
    assert_only_the_lease("x-api-key", SECRET);
}

#[test]
fn folded_variable_of_authorization_holds_the_lease_alone() {
    assert_only_the_lease("authorization", &format!("Bearer {SECRET}"));
}

/// The twin: the server folds, and what the edge lets through would be beside the lease.
#[test]
fn folding_server_reads_two_spellings_as_one_header() {
    let server = Server::start();
    let scene = server.scene("x-api-key");
    let tls = scene.tls_with(&format!("{API}:{}", server.port), Some(API), &scene.session).unwrap();
    let lines = format!("X-Other-Name: a\r\nX.Other.Name: {GUESTS_OWN}\r\n");
    let reply = Wire::new(tls).exchange(server.get(&lines)).unwrap();
    let mut read = folded(&reply);
    read.get_mut("HTTP_X_OTHER_NAME").unwrap().sort();
    assert_eq!(read["HTTP_X_OTHER_NAME"], ["a", GUESTS_OWN], "{}", reply.text());
}
