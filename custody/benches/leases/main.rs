//! What a lease costs, and how soon a revocation is heard.
//!
//! ```text
//! cargo bench -p custody --bench leases
//! ```
//! * `POST /v1/leases` of the real binary, from each kind of source: the sealed store, a key-value
//!   secret of a real OpenBao (asked anew for every lease), an OAuth 2 token that custody keeps. Against
//!   a server that does nothing but the same mutual TLS, the same reading of a body and the same
//!   durable audit record. Custody and that server are processes of their own, asked in turns by the
//!   same client; CPU is the server's alone.
//! * From a revocation's order to its arrival at an edge that long-polls over mutual TLS.
//!
//! The tables go into BENCHMARKS.md.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken ends")]

#[path = "../../tests/common/mod.rs"]
mod common;
mod empty;
mod load;
mod numbers;
mod revocations;

use axum::body::Bytes;
use common::sources::{self, Sources};
use empty::EmptyServer;
use load::Measured;
use stack::benchmarks;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// How many times slower than the empty handler a sealed lease may be.
const GOAL: f64 = 2.0;

const SECTION: &str = "Custody";
const COMMAND: &str = "cargo bench -p custody --bench leases";

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match arguments.iter().position(|argument| argument == empty::WORD) {
        Some(at) => runtime.block_on(empty::serve(Path::new(&arguments[at + 1]))),
        None => {
            let leases = runtime.block_on(leases());
            let revocations = runtime.block_on(revocations::measure());
            let text = format!("{}\n\n{leases}\n\n{revocations}", benchmarks::machine());
            println!("{text}");
            benchmarks::write_section(SECTION, COMMAND, &text).unwrap();
        }
    }
}

async fn leases() -> String {
    let sources = Sources::start().await;
    sources.home.edit(
        "# limits: {per_session: 600/m, per_handle: 60000/m,",
        "limits: {per_session: off, per_handle: off,",
    );
    let running = sources.home.serve();
    let empty = EmptyServer::start(&sources.home);
    let of = |name, address, pid, handle| {
        let body = Bytes::from(sources.request(handle).to_string());
        Measured { name, address, pid, body, rounds: Vec::new() }
    };
    let mut text = format!(
        "`POST /v1/leases`, {ROUNDS} rounds of {ROUND:?} in turns, medians over the rounds; ratios to the \
         empty handler of throughput, p50, p99 and CPU.\n\n\
         | connections | server | leases/s | p50 | p99 | server CPU a request | ratios |\n\
         | ---: | --- | ---: | ---: | ---: | ---: | --- |\n"
    );
    let mut slower = Vec::new();
    for connections in CONNECTIONS {
        let custody = |name, handle| of(name, running.edge, running.child.id(), handle);
        let mut all = [
            of("empty handler", empty.address, empty.pid(), sources::SEALED),
            custody("sealed, warm", sources::SEALED),
            custody("OAuth 2, kept", sources::OAUTH),
            custody("OpenBao KV", sources::KV),
        ];
        for _ in 0..ROUNDS {
            for measured in &mut all {
                measured.round(&sources.home, connections, ROUND).await;
            }
        }
        let [empty, sealed, ..] = &all;
        text += &empty.row(connections, None);
        for other in &all[1..] {
            text += &other.row(connections, Some(empty));
        }
        let ratio = empty.rate() / sealed.rate();
        let met = if ratio <= GOAL { "met" } else { "not met" };
        slower.push(format!("{ratio:.2} at {connections} ({met})"));
    }
    let slower = slower.join(", ");
    write!(
        text,
        "\nGoal: the empty handler at most {GOAL} times as many as sealed leases: {slower}."
    )
    .unwrap();
    text
}
