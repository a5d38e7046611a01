//! The demo origin, spoken to over TLS without any Envoy between.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use stack::authority::Authority;
use stack::origin::{Origin, OriginSettings, fingerprint};
use tokio::runtime::Runtime;

type Tls = StreamOwned<ClientConnection, TcpStream>;

struct Fixture {
    origin: Origin,
    authority: Authority,
    _runtime: Runtime,
}

impl Fixture {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let authority = Authority::new("test root").unwrap();
        let settings = OriginSettings::new(["api.demo.test"]);
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let origin = Origin::start(runtime.handle(), local, &settings, &authority).unwrap();
        Self { origin, authority, _runtime: runtime }
    }

    fn connect(&self) -> Tls {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("api.demo.test").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(session, TcpStream::connect(self.origin.address()).unwrap())
    }

    /// Sends `head` (request line and headers) with `Connection: close`; the whole answer.
    fn exchange(&self, head: &str, body: &str) -> String {
        let mut stream = self.connect();
        let request = format!(
            "{head}\r\nhost: api.demo.test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // The origin may end without a close_notify; what came before counts.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }
}

/// Reads until `wanted` has come.
fn read_until(stream: &mut Tls, wanted: &str) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&read).contains(wanted) {
        let length = stream.read(&mut buffer).unwrap();
        assert_ne!(length, 0, "ended before {wanted:?}: {}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8(read).unwrap()
}

#[test]
fn the_echo_tells_the_credential_by_fingerprint_only() {
    let fixture = Fixture::new();
    let answer =
        fixture.exchange("POST /v1/messages?a=b HTTP/1.1\r\nauthorization: Bearer abc", "hi");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let print = fingerprint(b"Bearer abc");
    assert!(answer.contains(&print), "{answer}");
    assert!(!answer.contains("abc"), "{answer}");
    for part in [r#""method":"POST""#, r#""path":"/v1/messages?a=b""#, r#""body_bytes":2"#] {
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
    let [seen] = fixture.origin.requests().try_into().unwrap();
    assert_eq!(seen.authorization().unwrap(), b"Bearer abc");
    assert_eq!((seen.host.as_str(), seen.protocol.as_str()), ("api.demo.test", "HTTP/1.1"));
    assert!(!format!("{seen:?}").contains("abc"));
    assert_eq!(fixture.origin.record().count_of("/v1/messages"), 1);
}

#[test]
fn uploads_are_counted_and_downloads_have_the_length_asked_for() {
    let fixture = Fixture::new();
    let answer = fixture.exchange("POST /upload HTTP/1.1", &"x".repeat(300_000));
    assert!(answer.ends_with(r#"{"bytes":300000}"#), "{answer}");
    let answer = fixture.exchange("GET /download?bytes=200001 HTTP/1.1", "");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-length: 200001"), "{head}");
    assert_eq!(body.len(), 200_001);
}

#[test]
fn status_and_counted_events() {
    let fixture = Fixture::new();
    assert!(fixture.exchange("GET /status/401 HTTP/1.1", "").starts_with("HTTP/1.1 401"));
    let answer = fixture.exchange("GET /sse?n=3&interval=1 HTTP/1.1", "");
    assert_eq!(answer.matches("data: event").count(), 3, "{answer}");
}

#[test]
fn told_events_come_when_told_and_not_before() {
    let fixture = Fixture::new();
    let mut stream = fixture.connect();
    stream.write_all(b"GET /sse/told HTTP/1.1\r\nhost: api.demo.test\r\n\r\n").unwrap();
    let head = read_until(&mut stream, "\r\n\r\n");
    assert!(!head.contains("data:"), "{head}");
    for text in ["one", "two"] {
        assert_eq!(fixture.origin.events().send(text), 1);
        let read = read_until(&mut stream, "\n\n");
        assert!(read.contains(&format!("data: {text}")), "{read}");
    }
    fixture.origin.events().end();
    read_until(&mut stream, "0\r\n\r\n");
}

#[test]
fn a_websocket_echoes() {
    let fixture = Fixture::new();
    let mut stream = fixture.connect();
    let upgrade = "GET /ws HTTP/1.1\r\nhost: api.demo.test\r\nconnection: upgrade\r\n\
                   upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).unwrap();
    assert!(read_until(&mut stream, "\r\n\r\n").starts_with("HTTP/1.1 101"));
    // RFC 6455 section 5.7: "Hello", masked as a client must, and as a server sends it.
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    stream.write_all(&masked).unwrap();
    let mut echoed = [0; 7];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(echoed, [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
}
