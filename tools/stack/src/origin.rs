//! The demo origin: an HTTPS API that remembers every request it gets.
//!
//! It is the second oracle of every end-to-end test (the guest's answer is the first): what never
//! shows up in [`Origin::requests`] was never forwarded. HTTP/1.1 and h2 by ALPN; the certificate
//! is signed by a throwaway [`Authority`], which Envoy is told to trust.

mod credential;
mod events;
mod git;
mod record;
mod routes;
mod scripted_answers;

pub use credential::fingerprint;
pub use events::Events;
pub use git::Repositories;
pub use record::{Record, Seen};
pub use scripted_answers::{ScriptedAnswer, ScriptedAnswers};

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;

/// What an origin offers by default, h2 first.
pub const H2_AND_HTTP1: &[&str] = &["h2", "http/1.1"];

/// Bytes of one h2 stream's and connection's window, so that a large upload is not paced by
/// window updates.
const WINDOW: u32 = 1 << 20;

/// How an origin shows itself.
#[derive(Clone, Debug)]
pub struct OriginSettings {
    /// The names in its certificate.
    pub certificate_names: Vec<String>,
    /// The protocols it offers, best first.
    pub alpn: Vec<String>,
    /// The versions of TLS it speaks.
    pub tls_versions: &'static [&'static SupportedProtocolVersion],
    /// Where it listens; 0 takes a free port.
    pub port: u16,
    /// Bare repositories, served to git.
    pub repositories: Option<Repositories>,
}

/// A running origin; it ends, with all its connections, when it is dropped.
pub struct Origin {
    address: SocketAddr,
    record: Arc<Record>,
    events: Events,
    scripted_answers: ScriptedAnswers,
    serving: JoinHandle<()>,
}

// === impl OriginSettings ===

impl OriginSettings {
    /// An honest origin for `names`.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            certificate_names: names.into_iter().map(Into::into).collect(),
            alpn: H2_AND_HTTP1.iter().map(|name| (*name).to_owned()).collect(),
            tls_versions: rustls::ALL_VERSIONS,
            port: 0,
            repositories: None,
        }
    }
}

// === impl Origin ===

impl Origin {
    /// Serves on `on`, with a certificate by `authority`.
    ///
    /// # Errors
    /// No socket to be had, or a name that can stand in no certificate.
    pub fn start(
        runtime: &Handle,
        on: IpAddr,
        settings: &OriginSettings,
        authority: &Authority,
    ) -> Result<Self> {
        let alpn: Vec<_> = settings.alpn.iter().map(String::as_str).collect();
        let tls = authority.server(&settings.certificate_names, &alpn, settings.tls_versions)?;
        let record = Arc::new(Record::default());
        let events = Events::default();
        let scripted_answers = ScriptedAnswers::default();
        let router = routes::router(
            Arc::clone(&record),
            events.clone(),
            scripted_answers.clone(),
            settings.repositories.clone(),
        );
        let at = SocketAddr::new(on, settings.port);
        let (address, serving) = serving(runtime, at, tls, router)?;
        Ok(Self { address, record, events, scripted_answers, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every request so far, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.record.all()
    }

    /// The record itself: counts, the latest request, forgetting.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What it says in place of an echo.
    pub fn scripted_answers(&self) -> &ScriptedAnswers {
        &self.scripted_answers
    }

    /// The hand on `/sse/told`.
    pub fn events(&self) -> &Events {
        &self.events
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves `router` over TLS; port 0 is a free one.
///
/// # Errors
/// No socket to be had.
pub(crate) fn serving(
    runtime: &Handle,
    at: SocketAddr,
    tls: Arc<ServerConfig>,
    router: axum::Router,
) -> Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(at).context("a port for a server of the stack")?;
    let address = listener.local_addr().context("the port of a server of the stack")?;
    let _inside = runtime.enter();
    let listener = accepting(listener).context("the socket of a server of the stack")?;
    Ok((address, runtime.spawn(serve(listener, tls, router))))
}

fn accepting(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

async fn serve(listener: tokio::net::TcpListener, tls: Arc<ServerConfig>, router: axum::Router) {
    let acceptor = TlsAcceptor::from(tls);
    // Dropped, and with it every connection, when this task is aborted.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(converse(stream, acceptor.clone(), router.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection to its end. How it ends is the peer's business: what counts is in the record.
async fn converse(stream: TcpStream, acceptor: TlsAcceptor, router: axum::Router) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http2()
        .enable_connect_protocol()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    let _ = server
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
}
