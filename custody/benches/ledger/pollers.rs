//! How soon edges hear of a revocation.

use crate::common::Home;
use crate::common::stores::Store;
use crate::{fill, millis, percentile};
use axum::body::{Body, to_bytes};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use lease::SyncAnswer;
use serde_json::json;
use std::net::SocketAddr;
use std::ops::Range;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

const REVOCATIONS: usize = 200;
/// Between two revocations: the edges poll again meanwhile.
const PAUSE: Duration = Duration::from_millis(100);
/// Milliseconds, to the last edge.
const GOAL: f64 = 100.0;

pub const HEAD: &str = "From an operator's order to the answer of an edge, 200 revocations, every edge on a \
    connection of its own. In between custody writes the audit record and the revocation. \"Own\": custody and \
    its database have one half of the cores, the clients the other. Goal: p99 of the last edge under 100 ms.\n\n\
    | store | cores | meanwhile | any edge, p50 | any edge, p99 | last edge, p50 | last edge, p99 | goal |\n\
    | --- | --- | --- | ---: | ---: | ---: | ---: | --- |\n";

/// Which cores custody and its clients have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// All cores for both, as the scheduler gives them.
    Shared,
    /// One half for custody and its database, the other for the clients.
    Own,
}

/// A session that an edge hears of, and when.
type Heard = (String, Instant);

/// The cores of the machine, counted before this process gives any away.
static COUNT: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().unwrap().get());

// === impl Cores ===

impl Cores {
    fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Own => "own",
        }
    }

    fn of_custody(self) -> Range<usize> {
        if self == Self::Own { 0..(*COUNT / 2).max(1) } else { 0..*COUNT }
    }

    fn of_clients(self) -> Range<usize> {
        if self == Self::Own { *COUNT / 2..*COUNT } else { 0..*COUNT }
    }
}

/// Moves this process to these cores. Programs that it starts afterwards inherit them.
fn move_to(cores: Range<usize>) {
    let (first, own) = (cores.start, std::process::id().to_string());
    let list = format!("{first}-{}", cores.end - 1);
    let moved = Command::new("taskset").args(["-apc", &list, &own]).output().unwrap();
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));
}

pub async fn measure(store: Store, cores: Cores, rows: u64, pollers: usize) -> String {
    move_to(cores.of_custody());
    let home = Home::bare(store);
    let begun = Instant::now();
    fill::fill(home.database.as_ref(), &home.path("custody.db"), rows).await;
    eprintln!("{}: {rows} rows in {:?}", store.name(), begun.elapsed());
    let running = home.serve();
    move_to(cores.of_clients());
    let (heard, mut hearing) = unbounded_channel();
    // Dropped before custody ends, and the edges with it.
    let mut edges = JoinSet::new();
    for _ in 0..pollers {
        let edge = client(home.edge_client().connect(running.edge).await.unwrap()).await;
        edges.spawn(poll(edge, heard.clone()));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut operator = operator(&home, running.admin).await;
    let mut text = String::new();
    for lists in [false, true] {
        let lister = lists.then(|| {
            let handles = 0..200_u64;
            let list = |handle| format!("/v1/leases?all=true&limit=10000&handle=handle-{handle}");
            let paths: Vec<_> = handles.map(list).chain(["/v1/sessions".to_owned()]).collect();
            let connecting = home.operator_client();
            let address = running.admin;
            tokio::spawn(async move {
                let stream = connecting.connect(address).await.unwrap();
                let mut operator = client(stream).await;
                for path in paths.iter().cycle() {
                    ask(&mut operator, Request::get(path).body(Body::empty()).unwrap()).await;
                }
            })
        });
        let name = format!("{}-{}-{lists}", store.name(), cores.name());
        let (any, last) = revoke_all(&mut operator, &mut hearing, pollers, &name).await;
        if let Some(lister) = lister {
            lister.abort();
        }
        let met = if millis(percentile(&last, 99)) < GOAL { "met" } else { "not met" };
        let meanwhile = if lists { "an operator lists leases" } else { "nothing" };
        let [any50, any99] = [50, 99].map(|percent| millis(percentile(&any, percent)));
        let [last50, last99] = [50, 99].map(|percent| millis(percentile(&last, percent)));
        let row = format!(
            "| {} | {} | {meanwhile} | {any50:.1} ms | {any99:.1} ms | {last50:.1} ms | {last99:.1} ms | {met} |\n",
            store.name(),
            cores.name(),
        );
        // A row takes a minute or two: it is shown as soon as it is measured.
        eprint!("{row}");
        text += &row;
    }
    move_to(Cores::Shared.of_clients());
    text
}

/// The delays of all edges, and of the last one of each revocation; sorted.
async fn revoke_all(
    operator: &mut SendRequest<Body>,
    hearing: &mut UnboundedReceiver<Heard>,
    pollers: usize,
    name: &str,
) -> (Vec<Duration>, Vec<Duration>) {
    let (mut any, mut last) = (Vec::new(), Vec::new());
    for number in 0..REVOCATIONS {
        tokio::time::sleep(PAUSE).await;
        let id = format!("{name}-{number}");
        let order = json!({"kind": "session", "id": id}).to_string();
        // Behind the name of the issuer.
        let session = format!("#{id}");
        let request = Request::post("/v1/revocations").header("content-type", "application/json");
        let ordered = Instant::now();
        ask(operator, request.body(Body::from(order)).unwrap()).await;
        let mut delays = Vec::with_capacity(pollers);
        while delays.len() < pollers {
            let (of, at) = hearing.recv().await.unwrap();
            if of.ends_with(&session) {
                delays.push(at - ordered);
            }
        }
        last.push(*delays.iter().max().unwrap());
        any.extend(delays);
    }
    any.sort_unstable();
    last.sort_unstable();
    (any, last)
}

async fn operator(home: &Home, admin: SocketAddr) -> SendRequest<Body> {
    client(home.operator_client().connect(admin).await.unwrap()).await
}

async fn client(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
) -> SendRequest<Body> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(client: &mut SendRequest<Body>, mut request: Request<Body>) -> Vec<u8> {
    request.headers_mut().insert("host", "custody.internal".parse().unwrap());
    client.ready().await.unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    to_bytes(Body::new(response.into_body()), 1 << 26).await.unwrap().to_vec()
}

/// Polls for ever, as an edge does.
async fn poll(mut edge: SendRequest<Body>, heard: UnboundedSender<Heard>) {
    let mut query = String::new();
    loop {
        let request = Request::get(format!("/v1/sync{query}")).body(Body::empty()).unwrap();
        let body = ask(&mut edge, request).await;
        let at = Instant::now();
        let answer = SyncAnswer::decode(&body).unwrap();
        for change in answer.changes {
            if heard.send((change.id, at)).is_err() {
                return;
            }
        }
        query = format!("?cursor={}&wait=30", answer.cursor);
    }
}
