//! The scripted custody does what its script says, from the next request on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;
use stack::fake_custody::{Answer, FakeCustody};
use tokio::runtime::Runtime;

const NAME: &str = "custody.internal";
/// Long enough to tell silence from an answer; nothing waits for it but the stall.
const SILENCE: Duration = Duration::from_millis(300);

type Tls = StreamOwned<ClientConnection, TcpStream>;

struct Fixture {
    fake: FakeCustody,
    address: SocketAddr,
    client: Arc<ClientConfig>,
    _runtime: Runtime,
}

impl Fixture {
    fn new(answer: Answer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signed = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("key"));
        fs::write(&certificate, signed.cert.pem()).unwrap();
        fs::write(&key, signed.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(signed.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let runtime = Runtime::new().unwrap();
        let address = stack::ports::free(stack::ports::address()).unwrap();
        let fake =
            FakeCustody::start(runtime.handle(), address, &certificate, &key, answer).unwrap();
        Self { fake, address, client: Arc::new(client), _runtime: runtime }
    }

    fn ask(&self) -> Tls {
        let name = ServerName::try_from(NAME).unwrap();
        let session = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        let mut stream = StreamOwned::new(session, TcpStream::connect(self.address).unwrap());
        let body = json!({"handle": "demo"}).to_string();
        let request = format!(
            "POST /v1/leases HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn answer(&self) -> String {
        let mut answer = Vec::new();
        // A connection that is closed without a word is one of the answers.
        let _ = self.ask().read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }
}

#[test]
fn it_replies_as_scripted_and_remembers_what_it_was_asked() {
    let fixture = Fixture::new(Answer::json(403, &json!({"code": "not_granted"})));
    let answer = fixture.answer();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.ends_with(r#"{"code":"not_granted"}"#), "{answer}");
    fixture.fake.answer(Answer::text(200, "text/plain", "what").after(Duration::from_millis(1)));
    assert!(fixture.answer().ends_with("\r\n\r\nwhat"));
    assert_eq!(fixture.fake.asked(), [json!({"handle": "demo"}), json!({"handle": "demo"})]);
}

#[test]
fn it_closes_and_says_what_no_http_library_would() {
    let fixture = Fixture::new(Answer::Close);
    assert_eq!(fixture.answer(), "");
    fixture.fake.answer(Answer::Bytes(b"220 mail.example ESMTP\r\n".to_vec()));
    assert_eq!(fixture.answer(), "220 mail.example ESMTP\r\n");
    fixture.fake.answer(Answer::json(200, &json!({})));
    assert!(fixture.answer().starts_with("HTTP/1.1 200"));
}

#[test]
fn a_stalled_answer_does_not_come() {
    let fixture = Fixture::new(Answer::Stall);
    let mut stream = fixture.ask();
    stream.sock.set_read_timeout(Some(SILENCE)).unwrap();
    let error = stream.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(fixture.fake.asked().len(), 1);
}
