//! The origin's endpoints. Everything that has no path of its own is an echo, so a policy can be
//! written against any path.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::{Value, json};

use super::git::{self, Repositories};
use super::{Events, Record, ScriptedAnswers, Seen};

/// The pieces a download is sent in.
const PIECE: usize = 64 * 1024;

/// Bytes of a body that are remembered.
const KEPT: usize = 64 * 1024;

#[derive(Deserialize)]
struct Download {
    /// Bytes of the body.
    bytes: u64,
}

#[derive(Deserialize)]
struct EventCount {
    /// Events until the stream ends.
    #[serde(default = "three")]
    n: u32,
    /// Milliseconds between two events.
    #[serde(default = "a_moment")]
    interval: u64,
}

#[derive(Deserialize)]
struct Pause {
    /// Milliseconds until the answer.
    ms: u64,
    #[serde(default = "no_content")]
    status: u16,
}

fn three() -> u32 {
    3
}

fn a_moment() -> u64 {
    50
}

fn no_content() -> u16 {
    204
}

pub(super) fn router(
    record: Arc<Record>,
    events: Events,
    scripted_answers: ScriptedAnswers,
    repositories: Option<Repositories>,
) -> Router {
    let routes = match repositories {
        Some(Repositories { folder, below }) => Router::new().route(
            &format!("/{below}/{{*path}}"),
            any(move |Path(path): Path<String>, request| git::serve(folder.clone(), path, request)),
        ),
        None => Router::new(),
    };
    routes
        .route("/upload", any(upload))
        .route("/download", get(download))
        .route("/sse", get(counted_events))
        .route("/sse/told", get(told_events))
        // `any`: over h2 a WebSocket begins with CONNECT (RFC 8441).
        .route("/ws", any(websocket))
        .route("/status/{code}", any(status))
        .route("/delay", any(delay))
        .fallback(move |request| echo(scripted_answers.clone(), request))
        .with_state(events)
        // Outermost: also what no route takes is in the record, and before anything is answered.
        .layer(middleware::from_fn_with_state(record, remember))
}

async fn remember(State(record): State<Arc<Record>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let seen = Seen::new(&parts);
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(seen.clone());
    let accepted = record.accepts(&seen);
    record.add(seen);
    if !accepted {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    next.run(request).await
}

/// Says what it is told to say of this path, or else what came: everything but values.
async fn echo(scripted_answers: ScriptedAnswers, request: Request) -> Response {
    let seen = request.extensions().get::<Seen>().cloned();
    let answer = scripted_answers.of(request.uri().path());
    let Counted { bytes, begin, trailers } = count(request.into_body()).await;
    let Some(seen) = seen else { return Json(json!({})).into_response() };
    seen.keep(begin);
    if let Some(answer) = answer {
        return answer.into_response();
    }
    let fingerprint = seen.credential_fingerprint();
    Json(json!({
        "method": seen.method,
        "path": seen.path,
        "host": seen.host,
        "protocol": seen.protocol,
        "credential": {"present": fingerprint.is_some(), "fingerprint": fingerprint},
        "headers": seen.header_names(),
        "body_bytes": bytes,
        "trailers": trailers,
    }))
    .into_response()
}

async fn upload(body: Body) -> Json<Value> {
    Json(json!({"bytes": count(body).await.bytes}))
}

/// What a body turned out to be.
#[derive(Default)]
struct Counted {
    bytes: u64,
    /// The first of them, [`KEPT`] at most.
    begin: Vec<u8>,
    /// Names only.
    trailers: Vec<String>,
}

/// Reads a body to its end or to where it broke off.
async fn count(mut body: Body) -> Counted {
    let mut counted = Counted::default();
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        if let Some(piece) = frame.data_ref() {
            counted.bytes += piece.len() as u64;
            counted.begin.extend(piece.iter().take(KEPT - counted.begin.len()));
        }
        let trailers = frame.trailers_ref().into_iter().flatten();
        counted.trailers.extend(trailers.map(|(name, _)| name.to_string()));
    }
    counted
}

async fn download(Query(Download { bytes }): Query<Download>) -> Response {
    let piece = Bytes::from(vec![b'.'; PIECE]);
    let body = stream::unfold(bytes, move |left| {
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let piece = piece.slice(..length);
        async move { (left > 0).then(|| (Ok::<_, Infallible>(piece), left - length as u64)) }
    });
    ([("content-length", bytes.to_string())], Body::from_stream(body)).into_response()
}

async fn counted_events(Query(count): Query<EventCount>) -> Response {
    let interval = Duration::from_millis(count.interval);
    let events = stream::unfold(0, move |said| async move {
        if said == count.n {
            return None;
        }
        if said > 0 {
            tokio::time::sleep(interval).await;
        }
        Some((format!("event {}", said + 1), said + 1))
    });
    server_sent(events)
}

async fn told_events(State(events): State<Events>) -> Response {
    let told = events.listen();
    server_sent(stream::unfold(told, |mut told| async move {
        told.recv().await.map(|text| (text, told))
    }))
}

fn server_sent(texts: impl Stream<Item = String> + Send + 'static) -> Response {
    let events = texts.map(|text| Ok::<_, Infallible>(Event::default().data(text)));
    Sse::new(events).into_response()
}

async fn websocket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(parrot)
}

async fn parrot(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let said = matches!(message, Message::Text(_) | Message::Binary(_));
        if said && socket.send(message).await.is_err() {
            return;
        }
    }
}

async fn status(Path(code): Path<u16>, body: Body) -> Response {
    count(body).await;
    known(code).into_response()
}

async fn delay(Query(Pause { ms, status }): Query<Pause>) -> StatusCode {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    known(status)
}

fn known(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}
