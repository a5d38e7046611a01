use super::*;
use crate::files::create_private;
use crate::outbound::{Endpoint, Identity, StatusCode, json, optional_secret, secret, tls_config};
use lease::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CANARY: &str = "canary-51d0c3e7";

/// Answers every connection with these bytes, and hands out what it was sent.
async fn answering(answer: Vec<u8>) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1 << 16];
            let read = stream.read(&mut request).await.unwrap();
            let _ = sender.send(String::from_utf8_lossy(&request[..read]).into_owned());
            stream.write_all(&answer).await.unwrap();
            let _ = stream.shutdown().await;
        }
    });
    (address, requests)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

fn at(address: SocketAddr) -> Endpoint {
    Endpoint::parse(&format!("http://{address}/secret-path/{CANARY}")).unwrap()
}

fn client() -> Outbound {
    Reach::default().client().unwrap()
}

#[tokio::test]
async fn what_is_sent_and_what_comes_back() {
    let (address, mut requests) =
        answering(http("201 Created", "x-a: b\r\n", r#"{"token":"t","more":1}"#)).await;
    let call = Call::post(&at(address))
        .bearer(&Secret::new(CANARY))
        .and_then(|call| call.header("x-vault-namespace", "team"))
        .and_then(|call| call.json(&json!({"a": 1})))
        .unwrap();
    let answer = client().send(call).await.unwrap();
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.headers["x-a"], "b");
    assert_eq!(answer.json::<Value>().unwrap()["more"], 1);
    let request = requests.recv().await.unwrap();
    assert!(request.contains(&format!("authorization: Bearer {CANARY}\r\n")), "{request}");
    assert!(request.contains("x-vault-namespace: team\r\n"));
    assert!(request.ends_with(r#"{"a":1}"#));

    let form: [(&str, &[u8]); 2] = [("grant type", b"a&b"), ("password", "=ü".as_bytes())];
    client().send(Call::post(&at(address)).form(&form)).await.unwrap();
    assert!(
        requests.recv().await.unwrap().ends_with("\r\n\r\ngrant+type=a%26b&password=%3D%C3%BC")
    );

    // The example of RFC 7617 section 2.
    let basic = Call::get(&at(address)).basic("Aladdin", &Secret::new("open sesame")).unwrap();
    client().send(basic).await.unwrap();
    let request = requests.recv().await.unwrap();
    assert!(request.contains("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_another() {
    let (elsewhere, mut never) = answering(http("200 OK", "", "")).await;
    let location = format!("location: http://{elsewhere}/\r\n");
    let (address, _requests) = answering(http("307 Temporary Redirect", &location, "")).await;
    let answer = client().send(Call::get(&at(address))).await.unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(never.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_none() {
    let reach = Reach { body_limit: 8, ..Reach::default() };
    for answer in [
        http("200 OK", "", "123456789"),
        b"HTTP/1.1 200 OK\r\n\r\n123456789".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n"
            .to_vec(),
    ] {
        let (address, _requests) = answering(answer).await;
        let fault = reach.client().unwrap().send(Call::get(&at(address))).await.err();
        assert_eq!(fault, Some(CallFault::TooLong(8)));
    }
    let (address, _requests) = answering(http("200 OK", "", "12345678")).await;
    let answer = reach.client().unwrap().send(Call::get(&at(address))).await.unwrap();
    assert_eq!(&**answer.body, b"12345678");
}

/// A server that accepts and does not answer.
#[tokio::test]
async fn a_server_that_says_nothing_is_waited_for_no_longer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Reach { total: Duration::from_millis(50), ..Reach::default() }.client().unwrap();
    assert_eq!(client.send(Call::get(&at(address))).await.err(), Some(CallFault::TimedOut));
}

#[derive(Deserialize)]
struct Typed {
    #[serde(deserialize_with = "secret")]
    token: Secret,
    #[serde(default, deserialize_with = "optional_secret")]
    other: Option<Secret>,
}

#[test]
fn secrets_are_read_out_of_json() {
    let read = |text: &str| json::read::<Typed>(text.as_bytes());
    let both = read(r#"{"token":"a\nb","other":"c"}"#).ok().unwrap();
    assert_eq!(both.token.expose(), b"a\nb");
    assert_eq!(both.other.unwrap().expose(), b"c");
    for none in [r#"{"token":"a"}"#, r#"{"token":"a","other":null}"#] {
        assert!(read(none).ok().unwrap().other.is_none());
    }
    assert!(read(r#"{"token":null}"#).is_err());
}

#[tokio::test]
async fn no_fault_says_what_was_sent_or_answered() {
    let mut faults = Vec::new();
    for body in
        [format!(r#"{{"token":["{CANARY}"]}}"#), CANARY.to_owned(), format!(r#"{{"{CANARY}"#)]
    {
        let (address, _requests) = answering(http("200 OK", "", &body)).await;
        let answer = client().send(Call::get(&at(address))).await.unwrap();
        faults.extend(answer.json::<Typed>().err());
    }
    for answer in
        [format!("{CANARY}\r\n\r\n"), format!("HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n"), String::new()]
    {
        let (address, _requests) = answering(answer.into_bytes()).await;
        faults.extend(client().send(Call::get(&at(address))).await.err());
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    faults.extend(client().send(Call::get(&at(closed))).await.err());
    let unsendable = Secret::new(format!("{CANARY}\n"));
    faults.extend(Call::get(&at(closed)).bearer(&unsendable).err());
    faults.extend(Call::get(&at(closed)).secret_header("x-vault-token", &unsendable).err());
    assert_eq!(faults.len(), 9, "{faults:?}");
    assert!(matches!(faults[6], CallFault::Unreachable(_)), "{:?}", faults[6]);
    for fault in &faults {
        let text = format!("{fault} {fault:?}");
        assert!(!text.contains("canary") && !text.contains("secret-path"), "{text}");
    }
}

#[test]
fn a_file_that_does_not_serve_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let reach = Reach { ca: Some(path.clone()), ..Reach::default() };
    for contents in [None, Some("no certificate")] {
        if let Some(contents) = contents {
            std::fs::write(&path, contents).unwrap();
        }
        let fault = reach.client().err().unwrap().to_string();
        assert!(fault.starts_with("ca: ") && fault.contains("ca.pem"), "{fault}");
    }
}

/// The files of a server and of its client, of a CA of their own.
fn files(folder: &std::path::Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    let put = |name: &str, pem: String| create_private(&folder.join(name), pem.as_bytes()).unwrap();
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    put("ca.pem", ca.pem());
    for name in ["server", "edge-client"] {
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        put(&format!("{name}.pem"), leaf.signed_by(&key, &ca).unwrap().pem());
        put(&format!("{name}.key"), key.serialize_pem());
    }
    folder
}

/// Answers over TLS, to clients with a certificate of the CA of these files.
async fn answering_over_tls(files: &std::path::Path) -> SocketAddr {
    let tls = crate::tls::acceptor(
        &crate::tls::TlsFiles {
            certificate: files.join("server.pem"),
            key: files.join("server.key"),
            client_ca: files.join("ca.pem"),
            client_names: None,
        },
        crate::tls::TLS12_AND_13,
    )
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = tls.accept(stream).await else { continue };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                continue; // The test offers HTTP/1.1 alone.
            }
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&http("200 OK", "connection: close\r\n", "{}")).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// A client lives as long as custody; the files that it was built with do not.
#[tokio::test]
async fn renewed_files_serve_the_next_handshake_of_the_same_client() {
    let temporary = tempfile::tempdir().unwrap();
    let (old, new) = (files(temporary.path(), "old"), files(temporary.path(), "new"));
    let (old_server, new_server) = (answering_over_tls(&old).await, answering_over_tls(&new).await);
    let here = temporary.path().join("here");
    std::fs::create_dir(&here).unwrap();
    let names = ["ca.pem", "edge-client.key", "edge-client.pem"];
    let put = |from: &std::path::Path, name: &str| {
        std::fs::copy(from.join(name), here.join("new")).unwrap();
        std::fs::rename(here.join("new"), here.join(name)).unwrap();
    };
    names.iter().for_each(|name| put(&old, name));
    let reach = Reach {
        ca: Some(here.join("ca.pem")),
        identity: Some(Identity {
            certificate: here.join("edge-client.pem"),
            key: here.join("edge-client.key"),
        }),
        ..Reach::default()
    };
    let mut config = tls_config(&reach).unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap();
    let outbound = Outbound { client, body_limit: 1 << 20 };
    let ask = async |server: SocketAddr| {
        let endpoint = Endpoint::parse(&format!("https://{server}/")).unwrap();
        outbound.send(Call::get(&endpoint)).await.map(|answer| answer.status)
    };
    assert_eq!(ask(old_server).await, Ok(StatusCode::OK));
    assert!(ask(new_server).await.is_err(), "a stranger is believed");
    // The key alone: certificate and key do not belong together, and the old ones stay.
    put(&new, "edge-client.key");
    assert_eq!(ask(old_server).await, Ok(StatusCode::OK));
    put(&new, "edge-client.pem");
    put(&new, "ca.pem");
    assert_eq!(ask(new_server).await, Ok(StatusCode::OK));
    assert!(ask(old_server).await.is_err(), "the CA that is out is believed");
    // What does not serve changes nothing.
    std::fs::write(here.join("new"), "no PEM").unwrap();
    std::fs::rename(here.join("new"), here.join("ca.pem")).unwrap();
    assert_eq!(ask(new_server).await, Ok(StatusCode::OK));
}
