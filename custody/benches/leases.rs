//! What a lease costs, and how soon a revocation is heard.
//!
//! ```text
//! cargo bench -p custody --bench leases
//! ```
//! * `POST /v1/leases`, warm, of the real binary, against a server that does nothing but the same
//!   mutual TLS, the same reading of a body and the same durable audit record. Both are processes of
//!   their own, asked in turns by the same client; CPU is the server's alone.
//! * From a revocation's order to its arrival at an edge that long-polls over mutual TLS.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken ends")]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/inside/mod.rs"]
mod inside;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::routing::post;
use common::Home;
use custody::audit::entry::{Asked, Given, SessionId};
use custody::audit::{AuditLog, Entry, Event, Outcome, recovery};
use custody::config::{Config, Protection};
use custody::ledger::Target;
use custody::metrics::Metrics;
use custody::server::listener::Listener;
use custody::server::tls;
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use inside::Inside;
use lease::{LeaseRequest, SyncAnswer};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The word by which this program is the server that is compared with.
const EMPTY: &str = "--empty-handler";
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_millis(500);
const REVOCATIONS: usize = 1000;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match arguments.iter().position(|argument| argument == EMPTY) {
        Some(at) => runtime.block_on(serve_nothing(Path::new(&arguments[at + 1]))),
        None => {
            runtime.block_on(leases());
            runtime.block_on(revocations());
        }
    }
}

// === the server that does nothing ===

async fn serve_nothing(config: &Path) {
    let config = Config::load(config).unwrap();
    let Protection::MutualTls(files) = &config.edge.protection else { panic!("TLS") };
    let acceptor = tls::acceptor(files, tls::EDGES).unwrap();
    let path = config.storage.audit.with_file_name("empty.jsonl");
    let (audit, _writing) = AuditLog::start(recovery::open(&path).unwrap()).await.unwrap();
    let routes = Router::new().route("/v1/leases", post(nothing)).with_state(audit);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = Listener::new(socket, Some(acceptor), routes, &Arc::new(Metrics::default()));
    println!("{}", listener.address().unwrap());
    let (_never, stop) = watch::channel(false);
    listener.serve(stop).await;
}

/// A record as long as a lease's, durable, and an answer as long as a lease.
async fn nothing(State(audit): State<AuditLog>, body: Body) -> Bytes {
    let body = to_bytes(body, 1 << 16).await.unwrap();
    let request = LeaseRequest::decode(&body).unwrap();
    let mut entry = Entry::new(Event::Lease, Outcome::Allow);
    entry.session = Some(SessionId {
        issuer: "https://control-plane.example".into(),
        subject: "ci-job-7".into(),
        jwt_id: "jti-1".into(),
        session_id: "jti-1".into(),
    });
    entry.asked = Some(Asked::of(&request));
    entry.given = Some(Given {
        lease_id: "lse_AAAAAAAAAAAAAAAAAAAAAA".into(),
        actor: "default".into(),
        expires_at: 1_800_000_000,
        purpose: None,
    });
    audit.append(entry).await.unwrap();
    Bytes::from_static(
        br#"{"lease_id":"lse_AAAAAAAAAAAAAAAAAAAAAA","expires_at":1800000000,"renew_after":1800000000,"headers":[{"name":"authorization","value":"Bearer canary-7Qv+w/2hX_9d41c6e0b8"}],"binding":"session"}"#,
    )
}

// === leases ===

/// A server process, and how much of the CPU it has used.
struct Measured {
    name: &'static str,
    address: SocketAddr,
    pid: u32,
    rounds: Vec<Round>,
}

struct Round {
    per_second: f64,
    cpu: Duration,
    /// Sorted.
    latencies: Vec<Duration>,
}

async fn leases() {
    let home = Home::new();
    home.edit(
        "# limits: {per_session: 600/m, per_handle: 60000/m,",
        "limits: {per_session: off, per_handle: off,",
    );
    let running = home.serve();
    let (mut child, empty) = start_empty(&home);
    println!("POST /v1/leases, {ROUNDS} rounds of {ROUND:?} in turns; medians over the rounds\n");
    println!("| connections | server | leases/s | p50 | p99 | server CPU a request |");
    println!("| ---: | --- | ---: | ---: | ---: | ---: |");
    for connections in [1, 16, 64] {
        let of = |name, address, pid| Measured { name, address, pid, rounds: Vec::new() };
        let mut both = [
            of("empty handler", empty, child.id()),
            of("sealed, warm", running.edge, running.child.id()),
        ];
        for _ in 0..ROUNDS {
            for measured in &mut both {
                let round = measured.round(&home, connections).await;
                measured.rounds.push(round);
            }
        }
        for measured in &both {
            measured.print(connections);
        }
        let [empty, sealed] = &both;
        println!(
            "| {connections} | ratio | {:.2} | {:.2} | {:.2} | {:.2} |",
            empty.rate() / sealed.rate(),
            sealed.percentile(50) / empty.percentile(50),
            sealed.percentile(99) / empty.percentile(99),
            sealed.cpu() / empty.cpu(),
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn start_empty(home: &Home) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(EMPTY)
        .arg(home.config())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().parse().unwrap())
}

impl Measured {
    async fn round(&self, home: &Home, connections: usize) -> Round {
        let body = Bytes::from(home.request().to_string());
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(client(home, self.address).await);
        }
        let (begin, end) = (Instant::now() + WARM_UP, Instant::now() + WARM_UP + ROUND);
        let work =
            clients.into_iter().map(|client| tokio::spawn(ask(client, body.clone(), begin, end)));
        let work: Vec<_> = work.collect();
        tokio::time::sleep_until(begin.into()).await;
        let before = cpu_of(self.pid);
        let mut latencies = Vec::new();
        for one in work {
            latencies.extend(one.await.unwrap());
        }
        let cpu = cpu_of(self.pid) - before;
        latencies.sort_unstable();
        let count = u32::try_from(latencies.len()).unwrap();
        Round { per_second: f64::from(count) / ROUND.as_secs_f64(), cpu: cpu / count, latencies }
    }

    fn print(&self, connections: usize) {
        let (name, rate) = (self.name, self.rate());
        let (p50, p99) = (self.percentile(50), self.percentile(99));
        println!(
            "| {connections} | {name} | {rate:.0} | {p50:.0} us | {p99:.0} us | {:.0} us |",
            self.cpu()
        );
    }

    fn rate(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.per_second))
    }

    /// Microseconds.
    fn percentile(&self, percent: usize) -> f64 {
        median(self.rounds.iter().map(|round| micros(at(&round.latencies, percent))))
    }

    /// Microseconds.
    fn cpu(&self) -> f64 {
        median(self.rounds.iter().map(|round| micros(round.cpu)))
    }
}

async fn client(home: &Home, address: SocketAddr) -> SendRequest<Body> {
    let stream = home.knock().connect(address).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// One request after the other until the end; what began before the beginning does not count.
async fn ask(
    mut client: SendRequest<Body>,
    body: Bytes,
    begin: Instant,
    end: Instant,
) -> Vec<Duration> {
    let mut latencies = Vec::new();
    loop {
        client.ready().await.unwrap();
        let asked = Instant::now();
        if asked >= end {
            return latencies;
        }
        let request = Request::post("/v1/leases").header("host", "custody.internal");
        let response = client.send_request(request.body(body.clone().into()).unwrap()).await;
        let response = response.unwrap();
        assert_eq!(response.status(), 200);
        to_bytes(Body::new(response.into_body()), 1 << 16).await.unwrap();
        if asked >= begin {
            latencies.push(asked.elapsed());
        }
    }
}

/// User and system time of all threads of a process, in clock ticks of 10 ms.
fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold blanks: fields 14 and 15 of proc(5).
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

// === revocations ===

async fn revocations() {
    let (home, inside) = (Home::bare(), Arc::new(Inside::new().await));
    let config = Config::load(&home.config()).unwrap();
    let Protection::MutualTls(files) = &config.edge.protection else { panic!("TLS") };
    let acceptor = tls::acceptor(files, tls::EDGES).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let routes = inside.routes.clone();
    let listener = Listener::new(socket, Some(acceptor), routes, &Arc::new(Metrics::default()));
    let address = listener.address().unwrap();
    let (_never, stop) = watch::channel(false);
    tokio::spawn(listener.serve(stop));

    let mut edge = client(&home, address).await;
    let mut known = hear(&mut edge, "").await;
    let mut delays = Vec::with_capacity(REVOCATIONS);
    for number in 0..REVOCATIONS {
        let (cursor, name) = (known.cursor.clone(), format!("session-{number}"));
        let revoking = Arc::clone(&inside);
        let target = Target::Session(name.clone());
        let ordered = tokio::spawn(async move {
            // The edge is waiting by then.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let ordered = Instant::now();
            revoking.revoke(target).await;
            ordered
        });
        known = hear(&mut edge, &format!("?cursor={cursor}&wait=30")).await;
        let heard = Instant::now();
        assert!(!known.full && known.changes.iter().any(|change| change.id == name));
        delays.push(heard - ordered.await.unwrap());
    }
    delays.sort_unstable();
    println!(
        "\nFrom the order to an edge that long-polls, {REVOCATIONS} revocations (SQLite, durable):"
    );
    let of = |percent| micros(at(&delays, percent)) / 1000.0;
    println!("median {:.2} ms, p99 {:.2} ms, longest {:.2} ms", of(50), of(99), of(100));
}

async fn hear(edge: &mut SendRequest<Body>, query: &str) -> SyncAnswer {
    let request = Request::get(format!("/v1/sync{query}")).header("host", "custody.internal");
    edge.ready().await.unwrap();
    let response = edge.send_request(request.body(Body::empty()).unwrap()).await.unwrap();
    let body = to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
    SyncAnswer::decode(&body).unwrap()
}

// === numbers ===

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
