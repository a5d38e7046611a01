//! In process, on both stores: everything live of an actor ends, however much it is, whoever waits for
//! it, and whatever fails meanwhile.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use async_trait::async_trait;
use custody::bulk_revocation::{BulkRevocation, Means, Progress};
use custody_audit::entry::Order;
use custody_audit::{AuditLog, recovery};
use custody_backends::resolver::Resolver;
use custody_backends::{BackendFault, CredentialBackend, CredentialRequest};
use custody_base::credential::Resolved;
use custody_ledger::{
    BulkOrder, Change, LeaseFilter, LeaseRow, Ledger, LedgerPlace, Missing, NewLease, Revocation,
    Target,
};
use inside::faulty::{Faulty, When};
use inside::stores::{self, Database, Store, on_both_stores};
use lease::Binding;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    a_hundred_thousand_live_leases_end,
    leases_end_when_whoever_ordered_it_has_hung_up,
    leases_end_after_the_ledger_failed_for_a_while,
    the_same_order_twice_at_once_is_done_once,
    what_a_revocation_of_the_target_ended_is_only_taken_back,
    leases_end_after_their_custody_was_killed_before_any_did,
    values_are_taken_back_after_their_custody_was_killed_before_any_was,
    an_order_is_taken_up_by_nobody_while_somebody_works_on_it,
}

const NOW: u64 = 1_800_000_000;
const MANY: u64 = 100_000;

/// Gives nothing, and counts what it is given back.
#[derive(Default)]
struct Back {
    count: AtomicU64,
    hangs: bool,
}

#[async_trait]
impl CredentialBackend for Back {
    fn name(&self) -> &str {
        "back"
    }

    fn is_capable(&self, _: &CredentialRequest<'_>) -> bool {
        false
    }

    async fn resolve(&self, _: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        Err(BackendFault::Absent)
    }

    async fn revoke(&self, _: &str) {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

struct Scene {
    bulk: Arc<BulkRevocation>,
    ledger: Arc<Faulty>,
    back: Arc<Back>,
    now: Arc<AtomicU64>,
    audit: PathBuf,
    store_file: PathBuf,
    database: Option<Database>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new(store: Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (audit_path, store_file) = (folder.path().join("audit"), folder.path().join("ledger"));
        let database = store.database();
        let real = stores::ledger(database.as_ref(), &store_file).await;
        let ledger = Arc::new(Faulty::new(real));
        let (audit, _) = AuditLog::start(recovery::open(&audit_path).unwrap()).await.unwrap();
        let back = Arc::new(Back::default());
        let resolver = Arc::new(Resolver::new(vec![back.clone()], BTreeMap::new()));
        let shared: Arc<dyn Ledger> = ledger.clone();
        let now = Arc::new(AtomicU64::new(NOW));
        let told = Arc::clone(&now);
        let clock = Arc::new(move || told.load(Ordering::SeqCst));
        let bulk = Arc::new(BulkRevocation::new(shared, resolver, audit, clock));
        Self { bulk, ledger, back, now, audit: audit_path, store_file, database, _folder: folder }
    }

    /// So many live leases of this actor, each with a value that can be taken back. They end at four
    /// different times.
    fn give(&self, actor: &str, count: u64) {
        let columns = "lease_id, session, subject, actor, handle, destination, binding, issued_at,
            expires_at, backend, revocation";
        let row = format!(
            "'{actor}-' || n, 's', 'w', '{actor}', 'h', 'worker', 'session', {NOW},
             {NOW} + 1 + n % 4, 'back', 'v' || n"
        );
        match &self.database {
            Some(database) => database.run(&format!(
                "INSERT INTO lease ({columns}) SELECT {row} FROM generate_series(1, {count}) AS n"
            )),
            None => {
                let file = rusqlite::Connection::open(&self.store_file).unwrap();
                let statement = format!(
                    "WITH RECURSIVE count(n) AS
                        (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {count})
                     INSERT INTO lease ({columns}) SELECT {row} FROM count"
                );
                file.execute_batch(&statement).unwrap();
            }
        }
    }

    /// Another custody on the same ledger, with a backend that takes nothing back, begins to end what is the
    /// actor's, and is killed when this holds.
    async fn begin_and_kill(
        &self,
        fails: Option<(&'static str, When)>,
        when: impl AsyncFn() -> bool,
    ) {
        let doomed = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let (file, audit) = (self.store_file.clone(), self.audit.with_extension("doomed"));
        let place = self.database.as_ref().map(Database::place);
        doomed.spawn(async move {
            let place = match place {
                Some(place) => LedgerPlace::Postgres(Box::new(place)),
                None => LedgerPlace::Sqlite(file),
            };
            let ledger = Arc::new(Faulty::new(place.open(Missing::Create).await.unwrap()));
            ledger.fail(fails);
            let (audit, _) = AuditLog::start(recovery::open(&audit).unwrap()).await.unwrap();
            let back: Arc<dyn CredentialBackend> =
                Arc::new(Back { hangs: true, ..Back::default() });
            let resolver = Arc::new(Resolver::new(vec![back], BTreeMap::new()));
            let bulk = BulkRevocation::new(ledger, resolver, audit, Arc::new(|| NOW));
            Arc::new(bulk).end(of("a"), Means::OfEach, order()).await;
            // Until it is killed.
            std::future::pending::<()>().await;
        });
        let begun = std::time::Instant::now();
        while !when().await {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not begin");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        doomed.shutdown_background();
    }

    /// This custody goes on, some seconds later.
    async fn take_up(&self) -> Value {
        self.bulk.take_up().await.unwrap();
        assert!(self.notes().is_empty(), "somebody may be working on it");
        self.now.store(NOW + 11, Ordering::SeqCst);
        self.bulk.take_up().await.unwrap();
        assert_eq!(self.notes(), ["resumed"]);
        self.record().await
    }

    /// Why the audit log has notes of the order.
    fn notes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.audit).unwrap();
        let records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let notes = records.filter(|record| record["outcome"] == "note");
        notes.map(|record| record["reason"].as_str().unwrap().to_owned()).collect()
    }

    /// Orders it until it is complete.
    async fn end(&self, target: &Target, means: Means) -> Progress {
        for _ in 0..12 {
            let progress = self.bulk.end(target.clone(), means, order()).await;
            if progress.complete {
                return progress;
            }
        }
        panic!("it is not complete after a minute");
    }

    /// The leases that are revoked, and that custody was told of as changes since this cursor.
    async fn revoked_since(&self, cursor: &str) -> Vec<String> {
        let feed = self.ledger.real.changes(Some(cursor)).await.unwrap();
        assert!(!feed.full);
        let ids = feed.changes.into_iter().map(|change| match change {
            Change::Revoked { target: Target::Lease(id), until: Some(until) } if until > NOW => id,
            other => panic!("{other:?}"),
        });
        ids.collect()
    }

    async fn cursor(&self) -> String {
        self.ledger.real.changes(None).await.unwrap().cursor
    }

    /// Waits for the audit record of an order.
    async fn record(&self) -> Value {
        for _ in 0..600 {
            let log = std::fs::read_to_string(&self.audit).unwrap();
            let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let is_end =
                |record: &Value| record["event"] == "leases_revoked" && record["outcome"] != "note";
            if let Some(record) = lines.find(is_end) {
                return record;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no record is written");
    }

    fn taken_back(&self) -> u64 {
        self.back.count.load(Ordering::SeqCst)
    }
}

fn order() -> Order {
    let (target_kind, target) = (Some("actor"), Some("a".to_owned()));
    Order { by: "op".into(), action: "revoke", target_kind, target }
}

fn of(actor: &str) -> Target {
    Target::Actor(actor.parse().unwrap())
}

async fn a_hundred_thousand_live_leases_end(store: Store) {
    let scene = Scene::new(store).await;
    scene.give("a", MANY);
    scene.give("b", 10);
    // Once more the first ones, which have ended.
    let ended = LeaseRow {
        lease_id: "ended".into(),
        session: "s".into(),
        subject: "w".into(),
        actor: "a".parse().unwrap(),
        handle: "h".parse().unwrap(),
        destination: "worker".into(),
        binding: Binding::Session,
        issued_at: NOW - 300,
        expires_at: NOW,
        backend: "back".into(),
        revocation: Some("ended".into()),
        outcome: None,
    };
    scene.ledger.real.record(&NewLease::of(&ended)).await.unwrap();
    // Revoked already, but not to its end.
    let (target, by) = (Target::Lease("a-3".into()), "op".to_owned());
    let early = Revocation { target, at: NOW, until: Some(NOW + 1), by };
    scene.ledger.real.revoke(&early).await.unwrap();
    let before = scene.cursor().await;

    let progress = scene.end(&of("a"), Means::OfEach).await;
    assert_eq!(progress, Progress { leases: MANY, complete: true });
    let mut revoked = scene.revoked_since(&before).await;
    revoked.sort();
    let mut all: Vec<_> = (1..=MANY).map(|number| format!("a-{number}")).collect();
    all.sort();
    assert!(revoked == all, "{} are revoked", revoked.len());
    assert_eq!(scene.ledger.real.revoked().await.unwrap().len() as u64, MANY);
    let record = scene.record().await;
    assert_eq!(
        (&record["leases"], &record["action"], &record["outcome"], &record["by"]),
        (&json!(MANY), &json!("revoke"), &json!("allow"), &json!("op"))
    );
    assert_eq!(scene.taken_back(), MANY);
    let again = scene.bulk.end(of("a"), Means::OfEach, order()).await;
    assert_eq!(again, Progress { leases: 0, complete: true });
}

async fn leases_end_when_whoever_ordered_it_has_hung_up(store: Store) {
    let scene = Scene::new(store).await;
    scene.give("a", 5000);
    let before = scene.cursor().await;
    let ordered = scene.bulk.end(of("a"), Means::OfEach, order());
    assert!(tokio::time::timeout(Duration::from_millis(1), ordered).await.is_err());
    assert_eq!(scene.record().await["leases"], 5000);
    assert_eq!(scene.revoked_since(&before).await.len(), 5000);
    assert_eq!(scene.taken_back(), 5000);
}

async fn leases_end_after_the_ledger_failed_for_a_while(store: Store) {
    let scene = Scene::new(store).await;
    scene.give("a", 1500);
    scene.ledger.fail(Some(("revoke_leases_after", When::After)));
    let progress = scene.bulk.end(of("a"), Means::OfEach, order()).await;
    assert_eq!(progress, Progress { leases: 0, complete: false });
    scene.ledger.fail(None);
    // The page whose answer was lost is revoked, and not told again.
    let progress = scene.end(&of("a"), Means::OfEach).await;
    assert!(progress.complete && progress.leases <= 500, "{progress:?}");
    assert_eq!(scene.ledger.real.revoked().await.unwrap().len(), 1500);
}

async fn the_same_order_twice_at_once_is_done_once(store: Store) {
    let scene = Scene::new(store).await;
    scene.give("a", 3000);
    let twice = tokio::join!(
        scene.bulk.end(of("a"), Means::OfEach, order()),
        scene.bulk.end(of("a"), Means::OfEach, order()),
    );
    let all = Progress { leases: 3000, complete: true };
    assert_eq!(twice, (all, all));
    assert_eq!(scene.record().await["leases"], 3000);
    assert_eq!(scene.taken_back(), 3000);
}

async fn what_a_revocation_of_the_target_ended_is_only_taken_back(store: Store) {
    let scene = Scene::new(store).await;
    scene.give("a", 2500);
    scene.give("b", 10);
    for target in [of("a"), Target::Session("s".into()), Target::Handle("h".parse().unwrap())] {
        let (until, by) = (None, "op".to_owned());
        let revocation = Revocation { target: target.clone(), at: NOW, until, by };
        scene.ledger.real.revoke(&revocation).await.unwrap();
        let before = scene.taken_back();
        let all = if target == of("a") { 2500 } else { 2510 };
        let progress = scene.bulk.end(target, Means::OfTarget, order()).await;
        assert_eq!(progress, Progress { leases: all, complete: true });
        for _ in 0..100 {
            if scene.taken_back() == before + all {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(scene.taken_back(), before + all);
    }
    assert_eq!(scene.ledger.real.revoked().await.unwrap().len(), 3, "no lease for itself");
}

/// Leases of a minute, which have not ended when the custody that was killed is missed.
fn give_long(scene: &Scene, count: u64) {
    scene.give("a", count);
    let longer = format!("UPDATE lease SET expires_at = {NOW} + 60");
    match &scene.database {
        Some(database) => database.run(&longer),
        None => {
            let file = rusqlite::Connection::open(&scene.store_file).unwrap();
            file.execute_batch(&longer).unwrap();
        }
    }
}

async fn leases_end_after_their_custody_was_killed_before_any_did(store: Store) {
    let scene = Scene::new(store).await;
    give_long(&scene, 2500);
    let (target, by, action) = (of("a"), "op".to_owned(), "revoke".to_owned());
    let kept = BulkOrder { target, revokes_each: true, by, action, ordered_at: NOW };
    // To take it so leaves it as it is.
    let is_kept =
        async || scene.ledger.real.take_orders(NOW + 10, NOW + 10).await.unwrap() == [kept.clone()];
    let fails = Some(("revoke_leases_after", When::Before));
    scene.begin_and_kill(fails, is_kept).await;
    assert!(scene.ledger.real.revoked().await.unwrap().is_empty());
    // The actor goes on meanwhile.
    let new = LeaseRow { lease_id: "new".into(), issued_at: NOW + 9, ..of_a(&scene).await };
    scene.ledger.real.record(&NewLease::of(&new)).await.unwrap();
    let record = scene.take_up().await;
    assert_eq!(
        (&record["leases"], &record["action"], &record["by"], &record["target"]),
        (&json!(2500), &json!("revoke"), &json!("op"), &json!("a"))
    );
    let revoked = scene.ledger.real.revoked().await.unwrap();
    assert_eq!(revoked.len(), 2500);
    assert!(!revoked.iter().any(|one| one.target == Target::Lease("new".into())));
    assert_eq!(scene.taken_back(), 2500);
    // The order goes after its record.
    let begun = std::time::Instant::now();
    while !scene.ledger.real.take_orders(NOW + 50, NOW + 50).await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not done");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Any lease of the actor.
async fn of_a(scene: &Scene) -> LeaseRow {
    let actor = Some("a".parse().unwrap());
    let filter = LeaseFilter { actor, limit: 1, ..LeaseFilter::default() };
    scene.ledger.real.leases(&filter).await.unwrap().remove(0)
}

async fn values_are_taken_back_after_their_custody_was_killed_before_any_was(store: Store) {
    let scene = Scene::new(store).await;
    give_long(&scene, 2500);
    let are_revoked = async || scene.ledger.real.revoked().await.unwrap().len() == 2500;
    scene.begin_and_kill(None, are_revoked).await;
    assert_eq!(scene.taken_back(), 0);
    assert_eq!(scene.take_up().await["leases"], 2500);
    assert_eq!(scene.taken_back(), 2500);
}

async fn an_order_is_taken_up_by_nobody_while_somebody_works_on_it(store: Store) {
    let scene = Scene::new(store).await;
    scene.give("a", 10);
    scene.ledger.fail(Some(("revoke_leases_after", When::Before)));
    let ordered = scene.bulk.end(of("a"), Means::OfEach, order());
    assert!(tokio::time::timeout(Duration::from_secs(1), ordered).await.is_err());
    let replica = scene.ledger.real.take_orders(NOW + 9, NOW + 20).await.unwrap();
    assert!(replica.is_empty(), "{replica:?}");
    // It says so again and again.
    scene.now.store(NOW + 1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(3500)).await;
    assert!(scene.ledger.real.take_orders(NOW + 10, NOW + 20).await.unwrap().is_empty());
    scene.ledger.fail(None);
    assert_eq!(scene.record().await["leases"], 10);
}
