//! Who gets in: mTLS on the edge listener, plaintext nowhere but on loopback.
//! TLS comes before any store, so one store is enough.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::client::{Conversation, TLS13, get, over_http1, over_http2, plain_get, post};
use common::stores::Store;
use common::{Home, custody, run, text};
use hyper::Request;
use std::fs;
use tokio::net::TcpStream;

const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

#[tokio::test]
async fn the_edge_gets_in_over_both_versions_and_protocols() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    for versions in [TLS12, TLS13] {
        for alpn in [&b"h2"[..], b"http/1.1"] {
            let mut client = home.edge_client();
            (client.versions, client.alpn) = (versions, alpn);
            let stream = client.connect(running.edge).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn));
            let request = post(Body::from(home.request().to_string()));
            let answer = match alpn {
                b"h2" => over_http2(stream, request).await,
                _ => over_http1(stream, request).await,
            };
            assert_eq!(answer.unwrap().status, 200);
        }
    }
}

#[tokio::test]
async fn nobody_else_gets_in() {
    let home = Home::new(Store::Sqlite);
    let other = Home::bare(Store::Sqlite);
    let running = home.serve();
    let identity = |home: &Home, name: &str| {
        Some((home.path(&format!("{name}.pem")), home.path(&format!("{name}.key"))))
    };
    for versions in [TLS12, TLS13] {
        for (who, identity) in [
            ("without a certificate", None),
            ("of another CA", identity(&other, "edge-client")),
            ("with a server's certificate", identity(&home, "server")),
            ("with the CA's own", identity(&home, "ca")),
        ] {
            let mut client = home.edge_client();
            (client.identity, client.versions) = (identity, versions);
            assert!(client.get(running.edge, "/healthz").await.is_err(), "{who}");
        }
        let mut client = home.edge_client();
        client.versions = versions;
        assert_eq!(client.get(running.edge, "/healthz").await.unwrap().status, 200);
    }
    let page = plain_get(running.health, "/metrics").await.text();
    assert!(page.contains("leasehold_custody_handshake_failures_total 8\n"), "{page}");
    assert!(home.records().iter().all(|record| record["event"] == "started"));
}

#[tokio::test]
async fn the_edge_does_not_believe_another_custody() {
    let (home, other) = (Home::new(Store::Sqlite), Home::bare(Store::Sqlite));
    let running = home.serve();
    let mut client = home.edge_client();
    client.ca = other.path("ca.pem");
    assert!(client.connect(running.edge).await.is_err());
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_no_conversation() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let stream = TcpStream::connect(running.edge).await.unwrap();
    let answer = over_http1(stream, post(Body::from(home.request().to_string()))).await;
    assert!(answer.is_err());
}

#[tokio::test]
async fn each_listener_has_its_own_routes() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let edge = async |path: &str| home.edge_client().get(running.edge, path).await.unwrap().status;
    assert_eq!(edge("/healthz").await, 200);
    assert_eq!(edge("/metrics").await, 404);
    assert_eq!(edge("/v1/leases").await, 405);
    assert_eq!(plain_get(running.health, "/healthz").await.status, 200);
    assert_eq!(plain_get(running.health, "/v1/leases").await.status, 404);
    let stream = TcpStream::connect(running.health).await.unwrap();
    let lease = over_http1(stream, post(Body::from(home.request().to_string()))).await.unwrap();
    assert_eq!(lease.status, 404);
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_health_listener_shut() {
    let home = Home::new(Store::Sqlite);
    let running = home.serve();
    let mut idle = Vec::new();
    // One more than the listener serves at once.
    for _ in 0..=1024 {
        idle.push(TcpStream::connect(running.health).await.unwrap());
    }
    let asked = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        plain_get(running.health, "/healthz").await.status
    });
    assert_eq!(asked.await, Ok(200));
}

const TLS: &str = "  tls:
    certificate: server.pem
    key: server.key
    client_ca: ca.pem
";

#[tokio::test]
async fn plaintext_on_loopback_only_when_asked_for() {
    let home = Home::new(Store::Sqlite);
    home.edit(TLS, "  plaintext: loopback-only\n");
    let running = home.serve();
    let stream = TcpStream::connect(running.edge).await.unwrap();
    let answer = over_http1(stream, post(Body::from(home.request().to_string()))).await.unwrap();
    assert_eq!(answer.status, 200);
    let stream = TcpStream::connect(running.edge).await.unwrap();
    assert_eq!(over_http1(stream, get("/healthz")).await.unwrap().status, 200);
}

/// The words of a `serve` that must not start.
fn refusal_of(home: &Home) -> String {
    let output = run(custody().args(["serve", "--config"]).arg(home.config()), b"");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    text(&output)
}

#[test]
fn plaintext_is_refused_everywhere_else() {
    let home = Home::new(Store::Sqlite);
    home.edit(TLS, "  plaintext: loopback-only\n");
    home.edit("\"127.0.0.1:0\"", "\"0.0.0.0:0\"");
    let words = refusal_of(&home);
    assert!(
        words.contains("edge.plaintext: refused: 0.0.0.0:0 is not a loopback address"),
        "{words}"
    );

    let home = Home::new(Store::Sqlite);
    home.edit(TLS, "");
    let words = refusal_of(&home);
    assert!(words.contains("edge.tls: is missing"), "{words}");
    assert!(!home.audit().exists(), "nothing was touched");
}

#[test]
fn files_that_do_not_serve_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let open = |home: &Home, name: &str| {
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o644)).unwrap();
    };
    let swap = |home: &Home, name: &str, with: &str| {
        fs::copy(home.path(with), home.path(name)).unwrap();
    };
    type Spoil<'a> = &'a dyn Fn(&Home);
    let cut = |home: &Home, name: &str, length: u64| {
        fs::File::options().write(true).open(home.path(name)).unwrap().set_len(length).unwrap();
    };
    let folder = |home: &Home, name: &str| {
        fs::remove_file(home.path(name)).unwrap();
        fs::create_dir(home.path(name)).unwrap();
    };
    let cases: [(Spoil<'_>, &[&str]); 20] = [
        (&|home| open(home, "root.key"), &["store.root_key", "root.key", "chmod 600"]),
        (&|home| open(home, "server.key"), &["edge.tls.key", "server.key", "chmod 600"]),
        (&|home| swap(home, "server.key", "ca.key"), &["edge.tls.certificate"]),
        (&|home| swap(home, "ca.pem", "ca.key"), &["edge.tls.client_ca", "ca.pem"]),
        (&|home| swap(home, "operator-ca.pem", "ca.key"), &["admin.tls.client_ca"]),
        (
            &|home| swap(home, "operator-ca.pem", "ca.pem"),
            &["admin.tls.client_ca", "whoever may call there could call here"],
        ),
        (&|home| swap(home, "root.key", "ca.key"), &["store.root_key", "not a root key"]),
        (&|home| fs::remove_file(home.path("server.pem")).unwrap(), &["edge.tls.certificate"]),
        (&|home| fs::write(home.path("custody.db"), "x").unwrap(), &["store.path", "custody.db"]),
        (
            &|home| fs::write(home.path("root.key"), "ab".repeat(32)).unwrap(),
            &["store.path", "did not seal this store"],
        ),
        (&|home| cut(home, "server.key", 0), &["edge.tls.key", "holds no private key (PEM)"]),
        (&|home| cut(home, "server.key", 60), &["edge.tls.key", "server.key", "it is cut off"]),
        (&|home| cut(home, "server.pem", 60), &["edge.tls.certificate", "it is cut off"]),
        (&|home| home.edit("path: audit", "path: no/audit"), &["audit.path", "No such file"]),
        (&|home| home.edit("path: custody.db", "path: no/c.db"), &["store.path", "No such file"]),
        (&|home| folder(home, "server.key"), &["edge.tls.key", "server.key: is a directory"]),
        (&|home| folder(home, "root.key"), &["store.root_key", "root.key: is a directory"]),
        (&|home| cut(home, "custody.db", 100), &["store.path", "restore it from a backup"]),
        (&|home| cut(home, "custody.db", 5000), &["store.path", "restore it from a backup"]),
        (&|home| fs::write(home.path("custody.yaml"), "").unwrap(), &["is empty", "custody init"]),
    ];
    for (at, (spoil, expected)) in cases.into_iter().enumerate() {
        let home = Home::new(Store::Sqlite);
        spoil(&home);
        let check = run(custody().args(["check", "--config"]).arg(home.config()), b"");
        assert_eq!(check.status.code(), Some(1));
        for words in [refusal_of(&home), text(&check)] {
            for part in expected {
                assert!(words.contains(part), "case {at}: {part} in {words}");
            }
        }
    }
}

#[tokio::test]
async fn only_operators_reach_the_admin_listener() {
    let (home, other) = (Home::new(Store::Sqlite), Home::bare(Store::Sqlite));
    let running = home.serve();
    let identity = |home: &Home, name: &str| {
        Some((home.path(&format!("{name}.pem")), home.path(&format!("{name}.key"))))
    };
    for (who, identity) in [
        ("without a certificate", None),
        ("an edge", identity(&home, "edge-client")),
        ("custody itself", identity(&home, "server")),
        ("another custody's operator", identity(&other, "operator")),
        ("the operators' CA", identity(&home, "operator-ca")),
    ] {
        let mut client = home.operator_client();
        client.identity = identity;
        assert!(client.get(running.admin, "/v1/status").await.is_err(), "{who}");
    }
    let mut client = home.operator_client();
    assert_eq!(client.get(running.admin, "/v1/status").await.unwrap().status, 200);
    assert!(client.get(running.edge, "/healthz").await.is_err(), "no operator is an edge");
    client.versions = TLS12;
    assert!(client.connect(running.admin).await.is_err(), "TLS 1.2");
}

#[tokio::test]
async fn without_the_section_there_is_no_admin_listener() {
    let home = Home::new(Store::Sqlite);
    let config = fs::read_to_string(home.config()).unwrap();
    let (before, rest) = config.split_once("admin:\n").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    fs::write(home.config(), format!("{before}\n{after}")).unwrap();
    let running = home.serve();
    assert_eq!(running.admin.port(), 0);
    assert_eq!(plain_get(running.health, "/healthz").await.status, 200);
}

/// A file of this name in `home`, replaced by a rename with what `from` has.
fn renew(home: &Home, name: &str, from: &std::path::Path) {
    fs::copy(from, home.path("renewed")).unwrap();
    fs::rename(home.path("renewed"), home.path(name)).unwrap();
}

/// Certificate, key and client CA: who was let in by the old ones is let out, whoever the new ones let in
/// gets in, and custody is not restarted.
#[tokio::test]
async fn renewed_tls_files_are_in_force_without_a_restart() {
    let (home, next) = (Home::new(Store::Sqlite), Home::bare(Store::Sqlite));
    let mut running = home.serve();
    let mut old = home.edge_client();
    (old.alpn, old.ca) = (b"h2", next.path("ca.pem"));
    let mut first = home.edge_client();
    first.alpn = b"h2";
    let open = Conversation::open(first, running.edge).await;
    let ask = || Request::get("https://custody.internal/healthz").body(Body::empty()).unwrap();
    assert_eq!(open.ask(ask()).await.unwrap().status, 200);

    for name in ["server.key", "server.pem", "ca.pem"] {
        renew(&home, name, &next.path(name));
    }
    running.wait_for("loaded renewed TLS files");
    assert_eq!(next.edge_client().get(running.edge, "/healthz").await.unwrap().status, 200);
    assert!(old.get(running.edge, "/healthz").await.is_err(), "a certificate of the old CA");
    let closed = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while open.ask(ask()).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    closed.await.expect("a connection of the old CA is still served");

    // Files that do not serve change nothing: a broken one, and a CA that would let its clients in at two listeners.
    renew(&home, "server.pem", &home.config());
    running.wait_for("failed to read renewed TLS files");
    renew(&home, "server.pem", &next.path("server.pem"));
    running.wait_for("loaded renewed TLS files");
    renew(&home, "operator-ca.pem", &next.path("ca.pem"));
    running.wait_for("whoever may call there could call here");
    assert_eq!(next.edge_client().get(running.edge, "/healthz").await.unwrap().status, 200);
    assert!(next.edge_client().get(running.admin, "/v1/status").await.is_err());
    let mut operator = home.operator_client();
    operator.ca = next.path("ca.pem");
    assert_eq!(operator.get(running.admin, "/v1/status").await.unwrap().status, 200);
    assert!(running.child.try_wait().unwrap().is_none());
}
