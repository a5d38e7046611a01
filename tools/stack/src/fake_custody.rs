//! A custody that does what it is told, for the faults a real one never shows on command.
//!
//! It shows custody's own certificate, takes connections without asking who calls, and speaks h2
//! and HTTP/1.1. What it does is read anew for every request.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// How long the fake may take to let go of its port.
const GRACE: Duration = Duration::from_secs(5);
/// Between two looks at the port.
const POLL: Duration = Duration::from_millis(1);

/// Between the beginning of an answer and its reset.
const MOMENT: Duration = Duration::from_millis(50);

/// What the fake does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A well-formed HTTP answer, after `delay`.
    Reply { status: u16, content_type: &'static str, body: Vec<u8>, delay: Duration },
    /// These bytes in place of anything HTTP, and the connection closed. Connections that are open
    /// when this becomes the answer are closed too.
    Bytes(Vec<u8>),
    /// Begins an answer (200) with these bytes of a body, then resets the stream.
    Cut(Vec<u8>),
    /// Reads the request and never answers.
    Stall,
    /// Reads the request and closes the connection.
    Close,
}

/// A scripted custody; it ends when it is dropped.
pub struct FakeCustody {
    address: SocketAddr,
    script: Arc<Script>,
    serving: JoinHandle<()>,
}

struct Script {
    answer: watch::Sender<Answer>,
    /// For the next lease requests, one each, before `answer` is everybody's again.
    in_turn: Mutex<VecDeque<Answer>>,
    /// No lease request is answered meanwhile.
    held: watch::Sender<bool>,
    asked: Mutex<Vec<Value>>,
    reports: Mutex<Vec<(String, Value)>>,
    /// What `GET /v1/sync` answers; null: nothing, ever.
    news: watch::Sender<Value>,
    /// The polls that wait for what comes after a cursor.
    waiting_polls: Mutex<BTreeMap<String, usize>>,
}

/// What a request is answered with: the script, and a way to end its own connection.
#[derive(Clone)]
struct Conversation {
    script: Arc<Script>,
    close: Arc<Notify>,
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
        let script = Arc::new(Script {
            answer: watch::Sender::new(answer),
            in_turn: Mutex::default(),
            held: watch::Sender::new(false),
            asked: Mutex::new(Vec::new()),
            reports: Mutex::new(Vec::new()),
            news: watch::Sender::new(news("none", false, &[])),
            waiting_polls: Mutex::new(BTreeMap::new()),
        });
        let listener = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .with_context(|| format!("a fake custody on {address}"))?;
        let _inside = runtime.enter();
        let listener = TcpListener::from_std(listener).context("a fake custody's socket")?;
        let serving = runtime.spawn(serve(listener, tls, Arc::clone(&script)));
        Ok(Self { address, script, serving })
    }

    /// What it does from the next request on.
    pub fn answer(&self, answer: Answer) {
        self.in_turn(VecDeque::new());
        self.script.answer.send_replace(answer);
    }

    /// What it does with the next lease requests, one each, before it does as it did. [`Answer::Bytes`]
    /// is for all or nobody.
    pub fn in_turn(&self, answers: VecDeque<Answer>) {
        *self.script.in_turn.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// While it is held, lease requests come in and wait; their delays begin when it is let go.
    pub fn hold(&self, held: bool) {
        self.script.held.send_replace(held);
    }

    /// What edges hear of revocations from now on: all of it, under a cursor of its own.
    pub fn news(&self, cursor: &str, kill_switch: bool, changes: &[Value]) {
        self.script.news.send_replace(news(cursor, kill_switch, changes));
    }

    /// The same, as it is on the wire; null: no poll is answered any more.
    pub fn publish(&self, news: Value) {
        self.script.news.send_replace(news);
    }

    /// The polls of edges that have heard all there is to hear, one a worker.
    pub fn waiting_polls(&self) -> usize {
        let cursor = self.script.news.borrow()["cursor"].as_str().unwrap_or_default().to_owned();
        self.script.waiting_polls().get(&cursor).copied().unwrap_or_default()
    }

    /// What it was told of sessions and outcomes: path and body.
    pub fn reports(&self) -> Vec<(String, Value)> {
        self.script.reports.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The body of every lease request so far (it holds the Session JWT).
    pub fn asked(&self) -> Vec<Value> {
        self.script.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Script {
    fn waiting_polls(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.waiting_polls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FakeCustody {
    /// Returns when the port is free again, since the next custody is often started at once. That
    /// the listener is closed does not say so: a program that is just being started has a copy of
    /// it for a moment.
    fn drop(&mut self) {
        self.serving.abort();
        let asked = Instant::now();
        while std::net::TcpStream::connect_timeout(&self.address, GRACE).is_ok()
            && asked.elapsed() < GRACE
        {
            thread::sleep(POLL);
        }
    }
}

fn news(cursor: &str, kill_switch: bool, changes: &[Value]) -> Value {
    json!({"cursor": cursor, "full": true, "kill_switch": kill_switch, "changes": changes})
}

fn tls(certificate: &Path, key: &Path) -> Result<ServerConfig> {
    let reading = |path: &Path| format!("reading {}", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| reading(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).with_context(|| reading(key))?;
    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("custody's certificate and key")?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(server)
}

/// Edges hear at once what they have not heard, and of what is new while they wait.
async fn sync(script: &Script, query: &str) -> Response {
    let field =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let wait = field("wait")
        .and_then(|wait| wait.parse().ok())
        .map_or(Duration::ZERO, Duration::from_secs);
    let known = field("cursor").unwrap_or_default().to_owned();
    let mut news = script.news.subscribe();
    {
        let _listening = Listening::new(script, known.clone());
        let changed = news.wait_for(|news| news["cursor"] != known.as_str());
        // Time over: the same as before, which is an answer too.
        let _ = tokio::time::timeout(wait, changed).await.is_ok();
    }
    let news = script.news.borrow().clone();
    if news.is_null() {
        return std::future::pending().await;
    }
    (StatusCode::OK, [("content-type", "application/json")], news.to_string()).into_response()
}

/// A poll that waits, until it is dropped.
struct Listening<'a> {
    script: &'a Script,
    cursor: String,
}

impl<'a> Listening<'a> {
    fn new(script: &'a Script, cursor: String) -> Self {
        *script.waiting_polls().entry(cursor.clone()).or_default() += 1;
        Self { script, cursor }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.script.waiting_polls().get_mut(&self.cursor) {
            *count -= 1;
        }
    }
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

/// One connection. A caller that goes away early is what some faults are about.
async fn converse(stream: TcpStream, tls: TlsAcceptor, script: Arc<Script>) {
    let Ok(mut stream) = tls.accept(stream).await else { return };
    let mut answers = script.answer.subscribe();
    let now = answers.borrow_and_update().clone();
    if let Answer::Bytes(bytes) = now {
        // Whatever the caller begins with: an answer nobody asked for would be another fault.
        let _ = stream.read_u8().await;
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        return;
    }
    let close = Arc::new(Notify::new());
    let router = Router::new()
        .fallback(reply)
        .with_state(Conversation { script: Arc::clone(&script), close: Arc::clone(&close) });
    let server = auto::Builder::new(TokioExecutor::new());
    let serving = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::select! {
        _ = serving => {}
        () = close.notified() => {}
        _ = answers.wait_for(|answer| matches!(answer, Answer::Bytes(_))) => {}
    }
}

async fn reply(State(conversation): State<Conversation>, uri: Uri, body: Bytes) -> Response {
    let Conversation { script, close } = conversation;
    match uri.path() {
        "/v1/sync" => return sync(&script, uri.query().unwrap_or_default()).await,
        path if path != "/v1/leases" => {
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let report = (path.to_owned(), body);
            script.reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
            return StatusCode::NO_CONTENT.into_response();
        }
        _ => {}
    }
    let asked = serde_json::from_slice(&body).unwrap_or(Value::Null);
    script.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let next = script.in_turn.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let answer = next.unwrap_or_else(|| script.answer.borrow().clone());
    let mut held = script.held.subscribe();
    // The sender is in the script, which is here.
    let _ = held.wait_for(|held| !held).await;
    match answer {
        Answer::Reply { status, content_type, body, delay } => {
            tokio::time::sleep(delay).await;
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [("content-type", content_type)], Body::from(body)).into_response()
        }
        Answer::Cut(begin) => {
            let pieces =
                stream::iter([Ok(Bytes::from(begin)), Err(io::ErrorKind::ConnectionReset)]);
            // A reset overtakes what is not sent yet, so the beginning gets a moment on its own.
            Body::from_stream(pieces.then(|piece| async move {
                if piece.is_err() {
                    tokio::time::sleep(MOMENT).await;
                }
                piece.map_err(io::Error::from)
            }))
            .into_response()
        }
        Answer::Stall => std::future::pending().await,
        Answer::Close | Answer::Bytes(_) => {
            close.notify_one();
            std::future::pending().await
        }
    }
}
