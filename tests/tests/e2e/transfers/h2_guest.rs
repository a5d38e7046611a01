//! An h2 guest who sends and reads as slowly as it likes.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use rustls::pki_types::ServerName;
use tests::guest;
use tests::scene::Scene;
use tokio_rustls::TlsConnector;

/// Large enough that a transfer is not paced by window updates.
const WINDOW: u32 = 1 << 20;

/// Runs a guest to its end.
pub fn block_on<T>(guest: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(guest)
}

/// A connection through a tunnel of its own to `host`.
pub async fn connect(scene: &Scene, host: &str, session: &str) -> SendRequest<Bytes> {
    let tunnel = scene.connect(&scene.at(host), session).unwrap().tunnel().unwrap();
    tunnel.set_nonblocking(true).unwrap();
    let tunnel = tokio::net::TcpStream::from_std(tunnel).unwrap();
    let trusting = guest::trusting(scene.stack.guest_ca().unwrap(), "h2").unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let tls = TlsConnector::from(Arc::new(trusting)).connect(name, tunnel).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut builder = Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let (sender, connection) = builder.handshake(tls).await.unwrap();
    tokio::spawn(connection);
    poll_fn(|context| sender.clone().poll_ready(context)).await.unwrap();
    sender
}

/// A request as an honest guest builds it.
pub fn request(scene: &Scene, host: &str, method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://{}{path}", scene.at(host)))
}

/// Sends as much of `bytes` as the window takes at once; how many that were.
pub async fn send(body: &mut SendStream<Bytes>, bytes: &Bytes, last: bool) -> usize {
    body.reserve_capacity(bytes.len());
    let room = loop {
        match poll_fn(|context| body.poll_capacity(context)).await {
            Some(Ok(0)) => {}
            Some(Ok(room)) => break room.min(bytes.len()),
            Some(Err(error)) => panic!("sending a body: {error}"),
            None => panic!("the stream is closed to the request's body"),
        }
    };
    body.send_data(bytes.slice(..room), last && room == bytes.len()).unwrap();
    room
}

/// The next piece of a body, the window opened again behind it; `None` at its end.
pub async fn piece(body: &mut RecvStream) -> Option<Bytes> {
    let piece = body.data().await?.expect("a response's body");
    body.flow_control().release_capacity(piece.len()).unwrap();
    Some(piece)
}

/// The whole body of a response.
pub async fn whole(response: Response<RecvStream>) -> Vec<u8> {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(piece) = piece(&mut body).await {
        bytes.extend_from_slice(&piece);
    }
    bytes
}
