//! The two guests: one opens streams and resets them, the other asks one request behind the other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::Request;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::bench::variant::CARRIER;

/// Streams of one connection; the shipped files allow 128.
const OF_ONE: usize = 100;

/// What is asked for: an authority that the edge takes as the destination, and a session.
pub struct Target<'a> {
    pub edge: SocketAddr,
    pub authority: &'a str,
    pub session: &'a str,
}

/// The guest with the many streams. Nobody reads their answers.
pub struct HeldStreams {
    runtime: Runtime,
    connections: Vec<SendRequest<Bytes>>,
    streams: Vec<ResponseFuture>,
}

/// When a request of the other guest began and ended.
pub type RequestTimes = (Instant, Instant);

// === impl Target ===

impl Target<'_> {
    fn request(&self) -> Result<Request<()>> {
        let uri = format!("http://{}/v1/models", self.authority);
        Request::get(uri).header(CARRIER, self.session).body(()).context("a request")
    }
}

// === impl HeldStreams ===

impl HeldStreams {
    /// Connects for so many streams.
    ///
    /// # Errors
    /// The edge does not take the connections.
    pub fn connect(edge: SocketAddr, streams: usize) -> Result<Self> {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().context("a runtime")?;
        let connections = runtime.block_on(async {
            let mut connections = Vec::new();
            for _ in 0..streams.div_ceil(OF_ONE) {
                connections.push(connect(edge).await?);
            }
            anyhow::Ok(connections)
        })?;
        Ok(Self { runtime, connections, streams: Vec::with_capacity(streams) })
    }

    /// Opens all the streams at once.
    ///
    /// # Errors
    /// The edge does not take them.
    pub fn open(&mut self, streams: usize, target: &Target<'_>) -> Result<()> {
        let Self { runtime, connections, streams: opened } = self;
        runtime.block_on(async {
            for connection in connections {
                let left = streams - opened.len();
                for _ in 0..left.min(OF_ONE) {
                    let mut sender = connection.clone().ready().await.context("h2")?;
                    let stream = sender.send_request(target.request()?, true);
                    opened.push(stream.context("a stream")?.0);
                }
            }
            Ok(())
        })
    }

    /// Resets them all at once. The connections stay.
    pub fn reset(&mut self) {
        self.streams.clear();
    }
}

/// The other guest, on one connection.
///
/// # Errors
/// A request that is not answered with 200.
pub fn ask_until(target: &Target<'_>, ended: &AtomicBool) -> Result<Vec<RequestTimes>> {
    let runtime = Builder::new_current_thread().enable_all().build().context("a runtime")?;
    runtime.block_on(async {
        let connection = connect(target.edge).await?;
        let mut asked = Vec::new();
        while !ended.load(Ordering::Relaxed) {
            let began = Instant::now();
            ask(&connection, target).await?;
            asked.push((began, Instant::now()));
        }
        Ok(asked)
    })
}

async fn connect(edge: SocketAddr) -> Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(edge).await.context("connecting")?;
    stream.set_nodelay(true).context("connecting")?;
    let (sender, connection) = h2::client::handshake(stream).await.context("h2")?;
    // How it ends nobody asks.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn ask(connection: &SendRequest<Bytes>, target: &Target<'_>) -> Result<()> {
    let mut sender = connection.clone().ready().await.context("h2")?;
    let (answer, _) = sender.send_request(target.request()?, true).context("a stream")?;
    let answer = answer.await.context("no answer")?;
    ensure!(answer.status() == 200, "the other guest gets status {}", answer.status());
    let mut body = answer.into_body();
    while let Some(piece) = body.data().await {
        let length = piece.context("an answer that breaks off")?.len();
        body.flow_control().release_capacity(length).context("h2")?;
    }
    Ok(())
}
