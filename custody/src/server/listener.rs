//! One listening socket: accept, TLS, HTTP, and an end in good order.

use crate::metrics::Metrics;
use crate::server::renewal::Acceptors;
use axum::Router;
use custody_audit::sampling::Sampler;
use custody_base::tls::peer::Peer;
use custody_base::under_way;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// A socket and what is served on it.
pub struct Listener {
    socket: TcpListener,
    tls: Acceptors,
    connections: Arc<ConnectionHandler>,
}

/// The connections that were let in by the same TLS files.
struct Generation {
    graceful: GracefulShutdown,
    /// Dropped when they have had their time.
    cut: watch::Sender<()>,
}

/// The parts that every connection of a listener shares.
struct ConnectionHandler {
    routes: Router,
    http: auto::Builder<TokioExecutor>,
    metrics: Arc<Metrics>,
    refused: Sampler,
}

/// Connections at once; more wait in the socket's queue.
const CONNECTIONS: usize = 1024;
/// From the first byte to the end of the TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);
/// How long an HTTP/1 connection may wait for the end of the next head; an idle one waits too.
/// Long, because an edge that sends just as custody closes gets no answer.
const HEAD_LIMIT: Duration = Duration::from_secs(300);
/// The same for the health listener, which asks nobody who it is: idle connections must not keep a probe out.
const HEALTH_HEAD_LIMIT: Duration = Duration::from_secs(1);
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 256;
/// Bytes that an HTTP/2 client may send ahead of being read: a body, and a few.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;
/// How long requests in flight may take once the end has come.
const GRACE: Duration = Duration::from_secs(10);
/// After accept failed (too many open files), so as not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

// === impl Listener ===

impl Listener {
    pub fn new(
        socket: TcpListener,
        tls: Acceptors,
        routes: Router,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).half_close(false);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(Some(Duration::from_secs(30)));
        Self::speaking(http, socket, tls, routes, metrics)
    }

    /// For probes of any origin, so for HTTP/1 alone and without patience.
    pub fn for_health(socket: TcpListener, routes: Router, metrics: &Arc<Metrics>) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
        http.http1().timer(TokioTimer::new()).header_read_timeout(HEALTH_HEAD_LIMIT);
        Self::speaking(http, socket, None, routes, metrics)
    }

    fn speaking(
        http: auto::Builder<TokioExecutor>,
        socket: TcpListener,
        tls: Acceptors,
        routes: Router,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let metrics = Arc::clone(metrics);
        let refused = Sampler::new(Instant::now());
        let connections = Arc::new(ConnectionHandler { routes, http, metrics, refused });
        Self { socket, tls, connections }
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` turns true (or its sender is gone), then finishes what is in flight. So does
    /// every connection that was let in by TLS files which are in force no more.
    pub async fn serve(mut self, mut stop: watch::Receiver<bool>) {
        let mut generation = Generation::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let (stream, place) = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                () = renewed(&mut self.tls) => {
                    // Custody's end waits for it: what is in flight there is in flight.
                    under_way::spawn(std::mem::replace(&mut generation, Generation::new()).end());
                    continue;
                }
                accepted = accept(&self.socket, &places) => match accepted {
                    Some(accepted) => accepted,
                    None => continue,
                },
            };
            let tls = self.tls.as_ref().map(|tls| tls.borrow().clone());
            let served =
                Arc::clone(&self.connections).serve(stream, tls, generation.graceful.watcher());
            let mut cut = generation.cut.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    () = served => {}
                    // Never sent to: its sender is gone.
                    _ = cut.changed() => {}
                }
                drop(place);
            });
        }
        drop(self.socket);
        generation.end().await;
    }
}

// === impl Generation ===

impl Generation {
    fn new() -> Self {
        Self { graceful: GracefulShutdown::new(), cut: watch::Sender::new(()) }
    }

    /// Finishes what is in flight, then cuts what is still open.
    async fn end(self) {
        if tokio::time::timeout(GRACE, self.graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were still open after {GRACE:?}; they are cut");
        }
        drop(self.cut);
    }
}

/// Never without TLS.
async fn renewed(tls: &mut Acceptors) {
    if let Some(acceptors) = tls
        && acceptors.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone is a program that is ending.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, _peer)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "failed to accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

// === impl ConnectionHandler ===

impl ConnectionHandler {
    async fn serve(self: Arc<Self>, stream: TcpStream, tls: Option<TlsAcceptor>, watcher: Watcher) {
        // Small answers, waited for: nothing to gain from holding them back.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            return self.http(stream, None, watcher).await;
        };
        match tokio::time::timeout(HANDSHAKE_LIMIT, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let peer = Peer::of(stream.get_ref().1);
                self.http(stream, peer, watcher).await;
            }
            Ok(Err(error)) => self.turn_away(&error.to_string()),
            Err(_elapsed) => self.turn_away("it took too long"),
        }
    }

    /// Logged, as an operator who sets an edge up must see why; but only so often.
    fn turn_away(&self, reason: &str) {
        self.metrics.handshake_failed();
        if let Some(suppressed) = self.refused.admit(Instant::now()) {
            tracing::warn!(reason, suppressed, "rejected a TLS handshake");
        }
    }

    async fn http<S>(&self, stream: S, peer: Option<Peer>, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let routes = TowerToHyperService::new(self.routes.clone());
        let named = service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            routes.call(request)
        });
        let connection = self.http.serve_connection(TokioIo::new(stream), named).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }
}
