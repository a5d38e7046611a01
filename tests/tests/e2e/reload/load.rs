//! Reloads while guests are served: none of them is judged by an older policy, none is denied for the
//! reload, and memory, VMs and pollers stay flat. `cargo xtask reload` plays a hundred of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use stack::Way;
use tests::guest;
use tests::scene::API;
use tests::wire::Wire;

use super::{DEFAULT_DRAIN, Edge, VMS, allowed, denied, verdict};
use crate::wide;

/// Without `LEASEHOLD_RELOADS`.
const RELOADS: u64 = 10;
const GUESTS: usize = 8;
/// Requests of one connection, before a guest opens another.
const KEPT: usize = 200;
/// Memory may be so much more, in bytes, at the end than after a fifth of the reloads.
const GROWTH: u64 = 48 << 20;

/// A poll of `sync.wait`, one second here, and the tick that ends the next.
const SUPERSEDED_POLLS: Duration = Duration::from_secs(3);
/// How often the polls are counted.
const LOOKS: usize = 40;

/// What the guests came to.
#[derive(Default)]
struct Tally {
    /// The generation that every VM has.
    everywhere: AtomicU64,
    /// The generation that is on its way, or everywhere.
    newest: AtomicU64,
    over: AtomicBool,
    requests: AtomicU64,
}

/// Generation N allows `/v1/N` and no other path.
fn of_generation(generation: u64) -> impl FnOnce(&mut Value) {
    move |plugin| {
        let path = format!("/v1/{generation}");
        plugin["destinations"][0]["allow"] = json!([{"methods": ["GET"], "paths": [path]}]);
    }
}

/// Asks for what the generation everywhere allows. If that is another when the answer is there, either
/// verdict is right.
fn ask(edge: &Edge, tally: &Tally, wire: &mut Wire<std::net::TcpStream>) -> bool {
    let before = tally.everywhere.load(Ordering::SeqCst);
    let Ok(reply) = wire.exchange(edge.request(API, &format!("/v1/{before}"))) else {
        return false;
    };
    let is_settled = tally.newest.load(Ordering::SeqCst) == before;
    let got = verdict(&reply);
    assert!(got == allowed() || !is_settled && got == denied(), "generation {before}: {got:?}");
    let Ok(reply) = wire.exchange(edge.request(API, &format!("/v1/{}", before - 1))) else {
        return false;
    };
    assert_eq!(verdict(&reply), denied(), "judged by the generation before {before}");
    tally.requests.fetch_add(2, Ordering::Relaxed);
    true
}

fn be_a_guest(edge: &Edge, tally: &Tally) {
    while !tally.over.load(Ordering::SeqCst) {
        let mut wire = Wire::new(guest::dial(edge.settings.listen).unwrap());
        let mut kept = 0;
        while kept < KEPT && !tally.over.load(Ordering::SeqCst) && ask(edge, tally, &mut wire) {
            kept += 1;
        }
    }
}

#[test]
fn reloads_under_load_leave_memory_and_pollers_flat() {
    let reloads = std::env::var("LEASEHOLD_RELOADS").ok().and_then(|text| text.parse().ok());
    let reloads: u64 = reloads.unwrap_or(RELOADS);
    let mut policy = wide::policy("5s");
    policy["custody"]["sync"] = json!({"wait": "1s", "max_staleness": "11s"});
    let builder = wide::builder("5s").way(Way::Gateway).policy(policy);
    let mut edge = Edge::start(builder, DEFAULT_DRAIN, Some(1));
    edge.reload(2, of_generation(2));
    let tally = Tally::default();
    tally.everywhere.store(2, Ordering::SeqCst);
    tally.newest.store(2, Ordering::SeqCst);
    let mut memory = Vec::new();
    let mut listeners = edge.listeners.clone();
    thread::scope(|scope| {
        for _ in 0..GUESTS {
            scope.spawn(|| be_a_guest(&edge, &tally));
        }
        for generation in 3..3 + reloads {
            tally.newest.store(generation, Ordering::SeqCst);
            let config =
                super::rendered(&edge.settings, Some(generation), of_generation(generation));
            listeners.replace(&config).unwrap();
            wide::wait_until("the generation in every VM", || edge.configured(generation) >= VMS);
            tally.everywhere.store(generation, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(300));
            memory.push(edge.envoy.resident_bytes().unwrap());
        }
        tally.over.store(true, Ordering::SeqCst);
    });
    // A superseded poll ends with custody's next answer, and no other follows it.
    thread::sleep(SUPERSEDED_POLLS);
    let pollers = (0..LOOKS).map(|_| {
        thread::sleep(Duration::from_millis(50));
        edge.stat("cluster.custody.upstream_rq_active")
    });
    let pollers = pollers.max().unwrap();
    let wasm = edge.stat("wasm.envoy.wasm.runtime.v8.active");
    let early = memory[memory.len() / 5];
    let last = *memory.last().unwrap();
    println!(
        "{reloads} reloads: {} requests, none wrong; Envoy {} MiB after a fifth, {} MiB at the end; \
         {wasm} VMs; {pollers} polls at most",
        tally.requests.load(Ordering::Relaxed),
        early >> 20,
        last >> 20,
    );
    assert!(last <= early + GROWTH, "Envoy has grown from {early} to {last} bytes");
    assert!((1..VMS as u64).contains(&pollers), "{pollers} polls");
    assert!(wasm <= VMS as u64 + 1, "{wasm} VMs");
    edge.envoy.stop().unwrap();
}
