//! An edge: HTTP over TLS with a client certificate.

use super::{Home, Running};
use axum::body::{Body, to_bytes};
use hyper::Request;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// All that the admin listener speaks.
pub const TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// A client of custody, and how it connects.
pub struct TestClient {
    pub ca: PathBuf,
    /// Certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
    pub alpn: &'static [u8],
    pub versions: &'static [&'static SupportedProtocolVersion],
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

impl Home {
    /// The edge that `custody init` made.
    pub fn edge_client(&self) -> TestClient {
        TestClient {
            ca: self.path("ca.pem"),
            identity: Some((self.path("edge-client.pem"), self.path("edge-client.key"))),
            alpn: b"http/1.1",
            versions: rustls::ALL_VERSIONS,
        }
    }

    /// The operator that `custody init` made, for the admin listener.
    pub fn operator_client(&self) -> TestClient {
        TestClient {
            identity: Some((self.path("operator.pem"), self.path("operator.key"))),
            versions: TLS13,
            ..self.edge_client()
        }
    }

    pub async fn lease(&self, running: &Running, request: &Value) -> Answer {
        self.lease_raw(running, request.to_string().into_bytes()).await
    }

    pub async fn lease_raw(&self, running: &Running, body: Vec<u8>) -> Answer {
        let stream = self.edge_client().connect(running.edge).await.unwrap();
        over_http1(stream, post(Body::from(body))).await.unwrap()
    }
}

impl TestClient {
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for ca in CertificateDer::pem_file_iter(&self.ca).unwrap() {
            roots.add(ca.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate).unwrap();
                let chain = chain.collect::<Result<_, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        let name = ServerName::try_from("custody.internal").unwrap();
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// One whole exchange with JSON in and JSON out.
    pub async fn send(
        &self,
        address: SocketAddr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", "custody.internal");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_vec()));
        let stream = self.connect(address).await?;
        over_http1(stream, request.body(body).unwrap()).await.map_err(io::Error::other)
    }

    /// One whole exchange. In TLS 1.3 a refused client learns of it only when it reads.
    pub async fn get(&self, address: SocketAddr, path: &str) -> io::Result<Answer> {
        let stream = self.connect(address).await?;
        over_http1(stream, get(path)).await.map_err(io::Error::other)
    }
}

/// A connection that is kept.
pub struct Conversation(http2::SendRequest<Body>);

impl Conversation {
    /// Over HTTP/2, which `client` has to offer.
    pub async fn open(client: TestClient, address: SocketAddr) -> Self {
        let stream = TokioIo::new(client.connect(address).await.unwrap());
        let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub async fn ask(&self, request: Request<Body>) -> hyper::Result<Answer> {
        read(self.0.clone().send_request(request).await?).await
    }
}

pub fn post(body: Body) -> Request<Body> {
    Request::post("https://custody.internal/v1/leases")
        .header("host", "custody.internal")
        .header("content-type", "application/json")
        .header("x-request-id", "req-42")
        .body(body)
        .unwrap()
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "custody.internal").body(Body::empty()).unwrap()
}

pub async fn over_http1<S>(stream: S, request: Request<Body>) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    read(sender.send_request(request).await?).await
}

pub async fn over_http2<S>(stream: S, request: Request<Body>) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await?;
    tokio::spawn(connection);
    read(sender.send_request(request).await?).await
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map_or("", |value| value.to_str().unwrap()).to_owned();
    let body = to_bytes(Body::new(response.into_body()), 1 << 26).await.unwrap().to_vec();
    Ok(Answer { status, content_type, body })
}

/// Plain HTTP, as on the health listener.
pub async fn plain_get(address: SocketAddr, path: &str) -> Answer {
    over_http1(TcpStream::connect(address).await.unwrap(), get(path)).await.unwrap()
}
