//! The process that is killed.

use super::time_of;
use crate::sample::{release, reservation, revocation, session};
use custody_ledger::{
    Attempt, Ledger, LedgerFault, Missing, Opened, PostgresLedger, PostgresPlace, Reservation,
    SqliteLedger,
};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub const SQLITE: &str = "LEASEHOLD_LOAD_SQLITE";
pub const POSTGRES: &str = "LEASEHOLD_LOAD_POSTGRES";
pub const CA: &str = "LEASEHOLD_LOAD_CA";
pub const ROUND: &str = "LEASEHOLD_LOAD_ROUND";

/// In front of every line, to tell it from those of the test harness.
const SAID: &str = "said ";
const TASKS: u8 = 4;
/// A load that nobody kills ends.
const END: Duration = Duration::from_secs(60);

pub fn is_said(line: &str) -> bool {
    line.starts_with(SAID)
}

/// What is said, without the mark.
pub fn said(line: &str) -> Option<Vec<&str>> {
    line.strip_prefix(SAID).map(|words| words.split(' ').collect())
}

/// One write, so that a kill leaves a whole line or none.
fn say(words: &str) {
    let line = format!("{SAID}{words}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// No test of its own: does nothing unless it was started as a load.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Ok(round) = std::env::var(ROUND) else { return };
    let round: u64 = round.parse().unwrap();
    let ledger: Arc<dyn Ledger> = match (std::env::var(SQLITE), std::env::var(POSTGRES)) {
        (Ok(path), _) => Arc::new(SqliteLedger::open(Path::new(&path), Missing::Create).unwrap()),
        (_, Ok(url)) => {
            let mut place = PostgresPlace::parse(&url).unwrap();
            place.ca = std::env::var_os(CA).map(Into::into);
            place.connections = 3;
            Arc::new(PostgresLedger::open(&place, Missing::Create).await.unwrap())
        }
        _ => panic!("which ledger?"),
    };
    for task in 0..TASKS {
        // A fault ends a task: the database is gone, and we will be soon.
        tokio::spawn(reserve(Arc::clone(&ledger), round, task));
    }
    tokio::spawn(revoke(ledger, round));
    tokio::time::sleep(END).await;
}

async fn revoke(ledger: Arc<dyn Ledger>, round: u64) -> Result<(), LedgerFault> {
    for number in 0.. {
        let name = format!("s-{round}-{number}");
        ledger.revoke(&revocation(session(&name), None)).await?;
        say(&format!("revoked {name}"));
        if number % 5 == 4 {
            // About to be restored: from here on nobody knows, until it is acknowledged.
            say(&format!("restoring {name}"));
            ledger.restore(&session(&name), 1).await?;
            say(&format!("restored {name}"));
        }
    }
    Ok(())
}

/// Operations that six rounds try, one after the other; all others are of one round.
fn shared(round: u64) -> std::ops::Range<u8> {
    let first = u8::try_from(2 * round).unwrap();
    first..first + 12
}

async fn reserve(ledger: Arc<dyn Ledger>, round: u64, task: u8) -> Result<(), LedgerFault> {
    let holder = format!("{round}-{task}");
    let now = time_of(round);
    for shared in shared(round) {
        let key = [shared; 32];
        let wanted = reservation(shared, &holder, now);
        if let Opened::Held { attempts, .. } = ledger.open(&wanted).await? {
            say(&format!("held {shared} {attempts}"));
            attempt(&*ledger, &key, &holder, &shared.to_string()).await?;
            if round % 3 == 2 {
                let released = release(&*ledger, &key, &holder).await?;
                say(&format!("released {shared} {released}"));
            }
        }
    }
    for number in 0_u64.. {
        let name = format!("{round}-{task}-{number}");
        let key = key_of(&name);
        let lease_id = name.clone();
        let wanted = Reservation { key, lease_id, ..reservation(0, &holder, now) };
        assert!(matches!(ledger.open(&wanted).await?, Opened::Held { .. }), "{name} is new");
        say(&format!("held {name} 0"));
        attempt(&*ledger, &key, &holder, &name).await?;
        attempt(&*ledger, &key, &holder, &name).await?;
        if number % 2 == 0 {
            let released = release(&*ledger, &key, &holder).await?;
            say(&format!("released {name} {released}"));
        } else {
            ledger.give_up(&key, &holder).await?;
        }
    }
    Ok(())
}

async fn attempt(
    ledger: &dyn Ledger,
    key: &[u8; 32],
    holder: &str,
    name: &str,
) -> Result<(), LedgerFault> {
    if let Attempt::Counted(number) = ledger.attempt(key, holder).await? {
        say(&format!("attempt {name} {number}"));
    }
    Ok(())
}

/// The key of an operation of one round.
pub fn key_of(name: &str) -> [u8; 32] {
    let mut key = [b'.'; 32];
    key.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    key
}
