//! What the indexes cost a lease that is written down.

use crate::common::stores::{Database, Store, ledger};
use crate::fill;
use custody_ledger::{LeaseRow, Ledger, NewLease, Recorded};
use lease::Binding;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 20;
/// Leases of one round, by so many callers at once.
const LEASES: u64 = 4000;
const CALLERS: u64 = 16;

pub const HEAD: &str = "What a recorded lease costs with the indexes, over what it costs with those of before \
    (on SQLite no index of ends, on PostgreSQL none by handle or actor; none for housekeeping). Two ledgers of the same \
    size, 20 rounds of 4000 leases by 16 callers, in turns; the ratio is of neighbours in time.\n\n\
    | store | before, leases/s | with, leases/s | ratio of time, median | least to most |\n\
    | --- | ---: | ---: | ---: | ---: |\n";

/// A ledger, and what keeps it there.
struct Filled {
    ledger: Arc<dyn Ledger>,
    _database: Option<Database>,
    _folder: tempfile::TempDir,
}

pub async fn measure(store: Store, rows: u64) -> String {
    let (before, with) = (make(store, rows, true).await, make(store, rows, false).await);
    let (mut old, mut new, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    // The first round warms the caches.
    for number in 0..=ROUNDS {
        let (one, other) = if number % 2 == 0 {
            let one = round(&before.ledger, number).await;
            (one, round(&with.ledger, number).await)
        } else {
            let other = round(&with.ledger, number).await;
            (round(&before.ledger, number).await, other)
        };
        if number > 0 {
            old.push(per_second(one));
            new.push(per_second(other));
            ratios.push(other.as_secs_f64() / one.as_secs_f64());
        }
    }
    for numbers in [&mut old, &mut new, &mut ratios] {
        numbers.sort_by(f64::total_cmp);
    }
    let median = |sorted: &[f64]| sorted[sorted.len() / 2];
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    format!(
        "| {} | {:.0} | {:.0} | {:.2} | {least:.2} to {most:.2} |\n",
        store.name(),
        median(&old),
        median(&new),
        median(&ratios),
    )
}

fn per_second(took: Duration) -> f64 {
    Duration::from_secs(LEASES).as_secs_f64() / took.as_secs_f64()
}

async fn make(store: Store, rows: u64, before: bool) -> Filled {
    let (folder, database) = (tempfile::tempdir().unwrap(), store.database());
    let file: PathBuf = folder.path().join("ledger");
    fill::fill(database.as_ref(), &file, rows).await;
    if before {
        fill::without_new_indexes(database.as_ref(), &file);
    }
    let ledger = ledger(database.as_ref(), &file).await;
    Filled { ledger, _database: database, _folder: folder }
}

async fn round(ledger: &Arc<dyn Ledger>, number: u64) -> Duration {
    let begun = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let ledger = Arc::clone(ledger);
        tokio::spawn(async move {
            for nth in (caller..LEASES).step_by(CALLERS as usize) {
                let row = row(number * LEASES + nth);
                assert_eq!(ledger.record(&NewLease::of(&row)).await, Ok(Recorded::Written));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    begun.elapsed()
}

/// Of a session that has ten leases, as those that the ledger is filled with.
fn row(number: u64) -> LeaseRow {
    let now = fill::now();
    LeaseRow {
        lease_id: format!("lse_new_{number}"),
        session: format!("new-session-{}", number / 10),
        subject: "job".into(),
        actor: format!("actor-{}", number % 50).parse().unwrap(),
        handle: format!("handle-{}", number % 200).parse().unwrap(),
        destination: "api.example:443".into(),
        binding: Binding::Session,
        issued_at: now,
        expires_at: now + 300,
        backend: "bao".into(),
        revocation: None,
        outcome: None,
    }
}
