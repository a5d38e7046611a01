//! How soon a thousand edges hear of a revocation from a custody with a large ledger, and what the
//! ledger's indexes cost each lease.
//!
//! ```text
//! cargo bench -p custody --bench ledger -- --rows 20000000
//! ```
//! * Edges long-poll the real binary over mutual TLS, each on a connection of its own. Time runs from an
//!   operator's order to the answer that the last edge gets: alone, and while an operator lists leases.
//! * Leases are recorded in two ledgers in turns, one with the indexes and one with those of before.
//!
//! `--rows` leases are in the ledger before it begins (default: 20 million), a tenth as many sessions, and
//! as many locks and reservations. Both stores are measured, one after the other; `--store` chooses one.
//! The tables go into BENCHMARKS.md.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be taken ends")]

#[path = "../../tests/common/mod.rs"]
mod common;
mod fill;
mod pollers;
mod writes;

use clap::Parser;
use common::stores::Store;
use pollers::Cores;
use stack::benchmarks;
use std::time::Duration;

#[derive(Parser)]
struct Arguments {
    /// Leases in the ledger when it begins.
    #[arg(long, default_value_t = 20_000_000)]
    rows: u64,
    /// Edges that poll.
    #[arg(long, default_value_t = 1000)]
    pollers: usize,
    /// `sqlite` or `postgres`; both without it.
    #[arg(long)]
    store: Option<String>,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

const SECTION: &str = "Ledger";
const COMMAND: &str = "cargo bench -p custody --bench ledger";

fn main() {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stores = [Store::Sqlite, Store::Postgres];
    let chosen = stores
        .into_iter()
        .filter(|store| arguments.store.as_deref().is_none_or(|chosen| chosen == store.name()));
    let (mut delivery, mut cost) = (String::new(), String::new());
    for store in chosen {
        for cores in [Cores::Shared, Cores::Own] {
            let measured = pollers::measure(store, cores, arguments.rows, arguments.pollers);
            delivery += &runtime.block_on(measured);
        }
        cost += &runtime.block_on(writes::measure(store, arguments.rows));
    }
    let text = format!(
        "{}, {} leases in the ledger, {} pollers.\n\n{}{delivery}\n{}{cost}",
        benchmarks::machine(),
        arguments.rows,
        arguments.pollers,
        pollers::HEAD,
        writes::HEAD,
    );
    println!("{text}");
    benchmarks::write_section(SECTION, COMMAND, &text).unwrap();
}

pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
