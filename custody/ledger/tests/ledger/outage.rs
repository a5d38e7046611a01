//! A database that is not there is a fault, soon, and no hang; and when it is back, so are we.

use crate::sample::{actor, handle, lease, revocation, session};
use crate::store::{OnServer, Store, place};
use custody_ledger::postgres::{ConnectFault, PostgresLedger};
use custody_ledger::{Claimant, Ledger, LedgerFault, Missing, NewLease};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What every call promises, and something for a machine that has more to do.
const SOON: Duration = Duration::from_secs(15);

async fn ask(ledger: &dyn Ledger) -> Result<(), LedgerFault> {
    let (handle, actor) = (handle("h"), actor("a"));
    let claimant = Claimant { session: "s", handle: &handle, actor: &actor };
    ledger.access_state(claimant).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_database_is_a_fault_and_a_live_one_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = OnServer::in_folder(folder.path()).await;
    let home = store.make("outage").await;
    let ledger = home.open().await;
    let cursor = ledger.changes(None).await.unwrap().cursor;
    tokio::task::block_in_place(|| store.server_mut().kill9().unwrap());
    let begin = Instant::now();
    assert!(matches!(ask(&*ledger).await, Err(LedgerFault::Down(_))));
    assert!(ledger.revoke(&revocation(session("s"), None)).await.is_err());
    assert!(ledger.record(&NewLease::of(&lease("l", "s", 1))).await.is_err());
    assert!(ledger.wait(&cursor, Duration::from_secs(30)).await.is_err());
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    tokio::task::block_in_place(|| store.server_mut().restart().unwrap());
    let begin = Instant::now();
    while ask(&*ledger).await.is_err() {
        assert!(begin.elapsed() < SOON, "it is not found again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The listening connection comes back as well, and until then we look.
    let other = home.open().await;
    let waiting = {
        let (ledger, cursor) = (Arc::clone(&ledger), cursor.clone());
        tokio::spawn(async move { ledger.wait(&cursor, Duration::from_secs(60)).await })
    };
    other.revoke(&revocation(session("s"), None)).await.unwrap();
    assert!(tokio::time::timeout(SOON, waiting).await.unwrap().unwrap().is_ok());
    assert_eq!(ledger.changes(Some(&cursor)).await.unwrap().changes.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_the_right_one_gets_no_password() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, other] = [
        OnServer::in_folder(folders[0].path()).await,
        OnServer::in_folder(folders[1].path()).await,
    ];
    let mut wrong = place(one.server(), &one.server().url("postgres"));
    wrong.ca = Some(other.server().ca());
    let fault = PostgresLedger::open(&wrong, Missing::Create).await.err().unwrap().to_string();
    assert!(fault.contains("certificate") && !fault.contains(one.server().password()), "{fault}");
    let url = one.server().url("postgres").replace(one.server().password(), "canary-password");
    let fault = PostgresLedger::open(&place(one.server(), &url), Missing::Create)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(fault.contains("password authentication failed"), "{fault}");
    assert!(!fault.contains("canary-password"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_others_and_of_a_newer_custody_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = OnServer::in_folder(folder.path()).await;
    let sql = |name: &str, statements: &str| {
        tokio::task::block_in_place(|| store.server().sql(name, statements).unwrap())
    };
    let _ = store.make("empty").await;
    let empty = place(store.server(), &store.server().url("empty"));
    let fault = PostgresLedger::open(&empty, Missing::Refuse).await.err().unwrap();
    assert!(matches!(fault, ConnectFault::Empty), "{fault}");
    let theirs = store.make("theirs").await;
    sql("theirs", "CREATE TABLE lease (n int)");
    let url = |name| place(store.server(), &store.server().url(name));
    let fault = PostgresLedger::open(&url("theirs"), Missing::Create).await.err().unwrap();
    assert!(matches!(fault, ConnectFault::Foreign), "{fault}");
    drop(theirs);
    let newer = store.make("newer").await;
    drop(newer.open().await);
    sql("newer", "UPDATE leasehold_layout SET applied = applied + 97");
    let fault = PostgresLedger::open(&url("newer"), Missing::Create).await.err().unwrap();
    assert!(matches!(fault, ConnectFault::Newer { found: 98.., .. }), "{fault}");
    sql(
        "newer",
        "UPDATE leasehold_layout SET applied = applied - 97; DROP TABLE revocation, kill_switch",
    );
    let ledger = PostgresLedger::open(&url("newer"), Missing::Create).await.unwrap();
    assert!(ask(&ledger).await.is_err(), "what cannot be asked is no clean standing");
}
