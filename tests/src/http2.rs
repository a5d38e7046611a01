//! h2, header by header (RFC 9113), inside of a tunnel or towards a gateway.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use h2::client::{self, ResponseFuture, SendRequest};
use h2::{Ping, PingPong, Reason, SendStream};
use http::{HeaderMap, Request};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::guest;
use crate::reply::Reply;

/// As long as a guest on HTTP/1.1 waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// One h2 connection. Its methods block.
pub struct Http2 {
    runtime: Runtime,
    sender: SendRequest<Bytes>,
    pings: PingPong,
}

/// A request whose response is still to come.
pub struct Begun {
    response: ResponseFuture,
    body: SendStream<Bytes>,
}

// === impl Http2 ===

impl Http2 {
    /// h2 over TLS to `sni`, chosen by ALPN.
    ///
    /// # Errors
    /// The handshake fails, or the edge does not choose h2.
    pub fn over_tls(stream: TcpStream, ca: &Path, sni: &str) -> Result<Self> {
        let connector = TlsConnector::from(Arc::new(guest::trusting(ca, "h2")?));
        let name = ServerName::try_from(sni.to_owned()).context("a server name")?;
        Self::start(async move {
            let stream = asynchronous(stream)?;
            let tls = connector.connect(name, stream).await.context("the TLS handshake")?;
            let chosen = tls.get_ref().1.alpn_protocol();
            anyhow::ensure!(chosen == Some(b"h2"), "ALPN chose {chosen:?}");
            Ok(tls)
        })
    }

    /// h2 with prior knowledge.
    ///
    /// # Errors
    /// The peer does not speak it.
    pub fn plain(stream: TcpStream) -> Result<Self> {
        Self::start(async move { asynchronous(stream) })
    }

    fn start<S>(stream: impl Future<Output = Result<S>>) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build().context("a runtime")?;
        let (sender, pings) = runtime.block_on(async {
            let (sender, mut connection) = client::handshake(stream.await?).await.context("h2")?;
            let pings = connection.ping_pong().context("somebody has this connection's pings")?;
            // How it ends is told by the request that is under way.
            tokio::spawn(async move { drop(connection.await) });
            anyhow::Ok((sender, pings))
        })?;
        Ok(Self { runtime, sender, pings })
    }

    /// Sends the headers of a request; with `more`, its body follows.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn begin(&mut self, request: Request<()>, more: bool) -> Result<Begun> {
        let sender = &mut self.sender;
        self.runtime.block_on(async {
            std::future::poll_fn(|context| sender.poll_ready(context)).await.context("h2")
        })?;
        let (response, body) = sender.send_request(request, !more).context("an h2 request")?;
        Ok(Begun { response, body })
    }

    /// Returns when the peer has worked on everything that was sent before.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn settle(&mut self) -> Result<()> {
        let pings = &mut self.pings;
        self.runtime.block_on(async {
            // A ping overtakes frames that are queued; what goes out behind the first does not wait.
            for _ in 0..2 {
                let answered = timeout(PATIENCE, pings.ping(Ping::opaque())).await;
                answered.context("no answer to a ping")?.context("a ping")?;
            }
            Ok(())
        })
    }

    /// Reads the whole responses, each with its turn, from 1, in which it was there.
    pub fn finish(&mut self, begun: Vec<Begun>) -> Vec<Result<(usize, Reply)>> {
        let mut replies: Vec<_> =
            begun.iter().map(|_| Err(anyhow!("the reader is gone"))).collect();
        self.runtime.block_on(async {
            let mut reading = JoinSet::new();
            for (number, begun) in begun.into_iter().enumerate() {
                reading.spawn(async move {
                    let reply = timeout(PATIENCE, whole(begun.response)).await;
                    (number, reply.context("no answer").flatten())
                });
            }
            let mut turn = 0;
            while let Some(Ok((number, reply))) = reading.join_next().await {
                turn += 1;
                replies[number] = reply.map(|reply| (turn, reply));
            }
        });
        replies
    }

    /// Sends a request with a body and trailers, if any; reads the whole response.
    ///
    /// # Errors
    /// The stream is reset or the connection ends first.
    pub fn request(
        &mut self,
        request: Request<()>,
        body: &[u8],
        trailers: Option<HeaderMap>,
    ) -> Result<Reply> {
        let body = Bytes::copy_from_slice(body);
        let mut sender = self.sender.clone();
        self.runtime.block_on(async move {
            let exchange = exchange(&mut sender, request, body, trailers);
            timeout(PATIENCE, exchange).await.context("no answer")?
        })
    }
}

// === impl Begun ===

impl Begun {
    /// One more piece of the body, which waits for no window.
    ///
    /// # Errors
    /// The stream is no more.
    pub fn send(&mut self, piece: &[u8], end: bool) -> Result<()> {
        self.body.send_data(Bytes::copy_from_slice(piece), end).context("an h2 body")
    }

    /// Takes the request back.
    pub fn reset(mut self) {
        self.body.send_reset(Reason::CANCEL);
    }
}

async fn exchange(
    sender: &mut SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
    trailers: Option<HeaderMap>,
) -> Result<Reply> {
    std::future::poll_fn(|context| sender.poll_ready(context)).await.context("h2")?;
    let at_once = body.is_empty() && trailers.is_none();
    let (response, mut out) = sender.send_request(request, at_once).context("an h2 request")?;
    if !at_once {
        out.send_data(body, trailers.is_none()).context("an h2 body")?;
    }
    if let Some(trailers) = trailers {
        out.send_trailers(trailers).context("h2 trailers")?;
    }
    whole(response).await
}

async fn whole(response: ResponseFuture) -> Result<Reply> {
    let (parts, mut incoming) = response.await.context("an h2 response")?.into_parts();
    let mut body = Vec::new();
    while let Some(piece) = incoming.data().await {
        let piece = piece.context("an h2 response's body")?;
        let _ = incoming.flow_control().release_capacity(piece.len());
        body.extend_from_slice(&piece);
    }
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
    Ok(Reply { status: parts.status.as_u16(), headers: headers.collect(), body })
}

fn asynchronous(stream: TcpStream) -> Result<tokio::net::TcpStream> {
    stream.set_nonblocking(true).context("a socket option")?;
    tokio::net::TcpStream::from_std(stream).context("a socket")
}
