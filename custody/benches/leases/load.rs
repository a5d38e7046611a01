//! A client that asks as fast as it is answered.

use crate::common::Home;
use crate::common::client::TestClient;
use crate::numbers::{at, median, micros};
use axum::body::{Body, Bytes, to_bytes};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A server process, what it is asked, and how it answered.
pub struct Measured {
    pub name: &'static str,
    pub address: SocketAddr,
    pub pid: u32,
    pub body: Bytes,
    pub rounds: Vec<Round>,
}

pub struct Round {
    per_second: f64,
    cpu: Duration,
    /// Sorted.
    latencies: Vec<Duration>,
}

/// Before what counts.
const WARM_UP: Duration = Duration::from_millis(500);

impl Measured {
    pub async fn round(&mut self, home: &Home, connections: usize, length: Duration) {
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(client(&home.edge_client(), self.address).await);
        }
        let (begin, end) = (Instant::now() + WARM_UP, Instant::now() + WARM_UP + length);
        let ask = |client| tokio::spawn(ask(client, self.body.clone(), begin, end));
        let work: Vec<_> = clients.into_iter().map(ask).collect();
        tokio::time::sleep_until(begin.into()).await;
        let before = cpu_of(self.pid);
        let mut latencies = Vec::new();
        for one in work {
            latencies.extend(one.await.unwrap());
        }
        let cpu = cpu_of(self.pid) - before;
        latencies.sort_unstable();
        let count = u32::try_from(latencies.len()).unwrap();
        let per_second = f64::from(count) / length.as_secs_f64();
        self.rounds.push(Round { per_second, cpu: cpu / count, latencies });
    }

    /// A row of the table, with the ratios to another's.
    pub fn row(&self, connections: usize, other: Option<&Self>) -> String {
        let of = |one: &Self| [one.rate(), one.percentile(50), one.percentile(99), one.cpu()];
        let [rate, p50, p99, cpu] = of(self);
        let ratios = other.map(of).map_or(String::new(), |[o_rate, o_p50, o_p99, o_cpu]| {
            let (rate, p50, p99, cpu) = (o_rate / rate, p50 / o_p50, p99 / o_p99, cpu / o_cpu);
            format!("{rate:.2}, {p50:.2}, {p99:.2}, {cpu:.2}")
        });
        let name = self.name;
        format!(
            "| {connections} | {name} | {rate:.0} | {p50:.0} us | {p99:.0} us | {cpu:.0} us | {ratios} |\n"
        )
    }

    pub fn rate(&self) -> f64 {
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

pub async fn client(client: &TestClient, address: SocketAddr) -> SendRequest<Body> {
    let stream = client.connect(address).await.unwrap();
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
