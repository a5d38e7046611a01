//! A custody that does what it is told, for the faults a real one never shows on command.
//!
//! It shows custody's own certificate, takes connections without asking who calls, and speaks
//! HTTP/1.1 by hand: one request a connection, so that a change of the script holds from the next
//! request on, and so that it can also say what no HTTP library would let it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// More than any lease request.
const LARGEST_REQUEST: usize = 1 << 20;

/// What the fake does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A well-formed HTTP answer, after `delay`.
    Reply { status: u16, content_type: &'static str, body: Vec<u8>, delay: Duration },
    /// These bytes in place of an HTTP answer, and the connection closed.
    Bytes(Vec<u8>),
    /// Reads the request and never answers.
    Stall,
    /// Reads the request and closes the connection.
    Close,
}

/// A scripted custody; it ends when it is dropped.
pub struct FakeCustody {
    script: Arc<Script>,
    serving: JoinHandle<()>,
}

struct Script {
    answer: Mutex<Answer>,
    asked: Mutex<Vec<Value>>,
}

// === impl Answer ===

impl Answer {
    /// `body` as JSON, at once.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// Any body, at once.
    pub fn text(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::Reply { status, content_type, body: body.into(), delay: Duration::ZERO }
    }

    /// The same answer, later.
    pub fn after(self, delay: Duration) -> Self {
        match self {
            Self::Reply { status, content_type, body, .. } => {
                Self::Reply { status, content_type, body, delay }
            }
            other => other,
        }
    }
}

// === impl FakeCustody ===

impl FakeCustody {
    /// Listens on `address` with the certificate chain and key of these PEM files.
    ///
    /// # Errors
    /// The address is taken, or the files hold no certificate and key.
    pub fn start(
        runtime: &Handle,
        address: SocketAddr,
        certificate: &Path,
        key: &Path,
        answer: Answer,
    ) -> Result<Self> {
        let tls = TlsAcceptor::from(Arc::new(tls(certificate, key)?));
        let script = Arc::new(Script { answer: Mutex::new(answer), asked: Mutex::new(Vec::new()) });
        let listener = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .with_context(|| format!("a fake custody on {address}"))?;
        let _inside = runtime.enter();
        let listener = TcpListener::from_std(listener).context("a fake custody's socket")?;
        let serving = runtime.spawn(serve(listener, tls, Arc::clone(&script)));
        Ok(Self { script, serving })
    }

    /// What it does from the next request on.
    pub fn answer(&self, answer: Answer) {
        *self.script.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The body of every lease request so far (it holds the Session JWT).
    pub fn asked(&self) -> Vec<Value> {
        self.script.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FakeCustody {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig> {
    let named = |path: &Path| format!("reading {}", path.display());
    let chain = fs::read(certificate).with_context(|| named(certificate))?;
    let chain = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| named(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| named(key))?;
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("custody's certificate and key")
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(converse(stream, tls.clone(), Arc::clone(&script)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, one request. A caller that goes away early is what some faults are about.
async fn converse(stream: TcpStream, tls: TlsAcceptor, script: Arc<Script>) {
    let Ok(mut stream) = tls.accept(stream).await else { return };
    let Ok(Some(body)) = read_request(&mut stream).await else { return };
    let asked = serde_json::from_slice(&body).unwrap_or(Value::Null);
    script.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let answer = script.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match answer {
        Answer::Reply { status, content_type, body, delay } => {
            tokio::time::sleep(delay).await;
            let head = format!(
                "HTTP/1.1 {status} Scripted\r\ncontent-type: {content_type}\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        }
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Answer::Stall => std::future::pending().await,
        Answer::Close => {}
    }
    let _ = stream.shutdown().await;
}

/// The body of one request with a content-length; `None` if the caller went away.
async fn read_request(stream: &mut TlsStream<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    loop {
        if let Some((head, body)) = split_head(&read) {
            let length = content_length(head);
            if body.len() >= length {
                return Ok(Some(body.to_vec()));
            }
        }
        if read.len() > LARGEST_REQUEST || stream.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    }
}

fn split_head(read: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((read.get(..end)?, read.get(end + 4..)?))
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
