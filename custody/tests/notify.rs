//! The failure notifier, over real TLS to a receiver that checks every signature.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use async_trait::async_trait;
use common::client::plain_get;
use common::peer::Peer;
use common::receiver::{self, KEY, Receiver};
use common::stores::{self, Database, Store, on_both_stores};
use common::workers::WorkersHome;
use common::{Home, Running, now};
use custody::metrics::Metrics;
use custody::notify::{BackendFailure, Notifier, NotifyTasks, Parts, WebhookPlace};
use custody_audit::{AuditLog, recovery};
use custody_backends::{BackendFault, LongLived, StoredSecret};
use custody_base::actor::Actor;
use custody_base::clock;
use custody_base::outbound::{Endpoint, Reach};
use custody_ledger::{Ledger, Notice};
use lease::{Handle, Secret};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

on_both_stores! {
    #[tokio::test]
    alike_failures_are_one_signed_notice_that_is_told_until_it_is_taken,
    a_notice_survives_a_restart,
    a_receiver_that_is_down_holds_up_nothing,
    a_workers_fetch_that_fails_is_told_of_too,
    what_nobody_took_for_a_day_is_given_up_in_the_audit_log,
    of_two_replicas_one_delivers,
    what_failed_before_the_end_is_in_the_ledger_after_it,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Grants `not-stored`, which fails, and notifies this peer.
fn home(store: Store, peer: &Peer) -> Home {
    let home = Home::new(store);
    home.put("notify-hmac", &[], KEY);
    home.append(&receiver::section(peer));
    home
}

async fn fail(home: &Home, running: &Running) -> String {
    let mut request = home.request();
    request["handle"] = "not-stored".into();
    let answer = home.lease(running, &request).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("unavailable")));
    request["session"].as_str().unwrap().to_owned()
}

async fn wait_for_metric(running: &Running, line: &str) {
    let line = format!("leasehold_custody_{line}");
    let there = async {
        while !plain_get(running.health, "/metrics").await.text().contains(&line) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, there).await.unwrap_or_else(|_| panic!("no {line}"));
}

async fn alike_failures_are_one_signed_notice_that_is_told_until_it_is_taken(store: Store) {
    let (receiver, peer) = Receiver::start().await;
    receiver.answers_first(&[500, 307]);
    let home = home(store, &peer);
    let running = home.serve();
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(fail(&home, &running).await);
    }
    receiver.wait_for_tries(3).await;
    wait_for_metric(&running, "notice_deliveries_total{result=\"ok\"} 1").await;
    wait_for_metric(&running, "notice_deliveries_total{result=\"failed\"} 2").await;
    wait_for_metric(&running, "notices_pending 0").await;
    assert_eq!(running.stop(), 0);
    let received = receiver.inner();
    let statuses: Vec<_> = received.tries.iter().map(|(_, _, status)| *status).collect();
    assert_eq!((statuses, received.redirected), (vec![500, 307, 200], 0));
    let (id, body, _) = received.tries[0].clone();
    assert!(received.tries.iter().all(|one| one.0 == id && one.1 == body), "one notice");
    let mut told: Value = serde_json::from_str(&body).unwrap();
    assert!(told["timestamp"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({"type": "backend.failed", "timestamp": null, "data": {
        "backend": "sealed", "actor": "default", "handle": "not-stored",
        "code": "credential_absent"}});
    assert_eq!(told, expected, "and nothing else");
    for secret in sessions.iter().map(String::as_str).chain([common::CANARY, KEY]) {
        assert!(!body.contains(secret));
    }
}

async fn a_notice_survives_a_restart(store: Store) {
    let (receiver, peer) = Receiver::start().await;
    receiver.answers_first(&[503; 1000]);
    let home = home(store, &peer);
    let mut running = home.serve();
    fail(&home, &running).await;
    receiver.wait_for_tries(1).await;
    // In the midst of a delivery, or between two: it is in the ledger.
    running.signal("KILL");
    running.child.wait().unwrap();
    let before = receiver.inner().tries.len();
    receiver.answers_first(&[]);
    let running = home.serve();
    receiver.wait_for_tries(before + 1).await;
    wait_for_metric(&running, "notices_pending 0").await;
    let received = receiver.inner();
    let ((first, ..), (last, _, status)) = (&received.tries[0], received.tries.last().unwrap());
    assert_eq!((first, *status), (last, 200));
}

async fn a_receiver_that_is_down_holds_up_nothing(store: Store) {
    let (_, peer) = Receiver::start().await;
    let home = home(store, &peer);
    // Its CA file goes with it, and without one custody would rather not start.
    std::fs::copy(peer.ca(), home.path("hook-ca.pem")).unwrap();
    home.edit(&peer.ca().display().to_string(), "hook-ca.pem");
    drop(peer);
    let running = home.serve();
    fail(&home, &running).await;
    wait_for_metric(&running, "notice_deliveries_total{result=\"failed\"}").await;
    wait_for_metric(&running, "notices_pending 1").await;
    assert_eq!(home.lease(&running, &home.request()).await.status, 200);
    assert_eq!(running.stop(), 0);
    let failed = home.records().iter().filter(|record| record["event"] == "lease_failed").count();
    assert_eq!(failed, 1);
}

async fn a_workers_fetch_that_fails_is_told_of_too(store: Store) {
    let (receiver, peer) = Receiver::start().await;
    let workers = WorkersHome::new(store);
    workers.home.put("notify-hmac", &[], KEY);
    workers.home.append(&receiver::section(&peer));
    let running = workers.home.serve();
    let fetch = async |service: &str| {
        let token = workers.token("cred.fetch", "default", service);
        let body = json!({"actor": "default", "service": service});
        workers.call(&running, "fetch", &token, body).await.status
    };
    // That nothing is stored is an answer; that it does not open is a failure.
    assert_eq!((fetch("not-stored").await, fetch("github-ci").await), (404, 200));
    workers.home.tamper("UPDATE credential SET handle = 'moved' WHERE handle = 'github-ci'");
    assert_eq!(fetch("moved").await, 503);
    receiver.wait_for_tries(1).await;
    let told = json!({"backend": "sealed", "actor": "default", "handle": "moved",
        "code": "credential_unreadable"});
    assert_eq!(receiver.told(), [told]);
}

/// A store with what signs, and nothing else.
struct OneSecret;

#[async_trait]
impl LongLived for OneSecret {
    async fn read(&self, _: &Actor, _: &Handle) -> Result<StoredSecret, BackendFault> {
        Ok(StoredSecret { secret: Secret::new(KEY), version: 1, origin: 1 })
    }

    async fn origin(&self, _: &Actor, _: &Handle) -> Result<Option<u64>, BackendFault> {
        Ok(Some(1))
    }

    async fn replace(
        &self,
        _: &Actor,
        _: &Handle,
        _: u64,
        _: &Secret,
    ) -> Result<bool, BackendFault> {
        Err(BackendFault::Absent)
    }
}

/// What replicas have in common, and a folder for the rest.
struct Shared {
    folder: tempfile::TempDir,
    database: Option<Database>,
}

impl Shared {
    fn new(store: Store) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: store.database() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A replica in this process, with an audit log of its own beside the ledger that all share.
struct Replica {
    ledger: Arc<dyn Ledger>,
    notifier: Notifier,
    notify_tasks: NotifyTasks,
}

impl Replica {
    async fn new(shared: &Shared, name: &str, peer: &Peer) -> Self {
        let ledger = stores::ledger(shared.database.as_ref(), &shared.path("ledger")).await;
        let opened = recovery::open(&shared.path(name)).unwrap();
        let (audit, _writing) = AuditLog::start(opened).await.unwrap();
        let place = WebhookPlace {
            url: Endpoint::parse(&format!("{}/hook", peer.url())).unwrap(),
            reach: Reach { ca: Some(peer.ca()), ..Reach::default() },
            secret: (Actor::DEFAULT.parse().unwrap(), "hmac".parse().unwrap()),
        };
        let parts = Parts {
            ledger: ledger.clone(),
            secrets: Arc::new(OneSecret),
            audit,
            metrics: Arc::new(Metrics::default()),
            clock: clock::system(),
        };
        let (notifier, notify_tasks) = custody::notify::open(&place, parts).unwrap();
        Self { ledger, notifier, notify_tasks }
    }
}

fn notice(id: &str, at: u64) -> Notice {
    Notice {
        id: id.into(),
        at,
        backend: "bao".into(),
        actor: "default".into(),
        handle: "github-ci".into(),
        code: "backend_down".into(),
        tries: 0,
        next_try: at,
    }
}

async fn wait_until_none_waits(ledger: &dyn Ledger) {
    let none = async {
        while ledger.waiting().await.unwrap() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, none).await.unwrap();
}

async fn what_nobody_took_for_a_day_is_given_up_in_the_audit_log(store: Store) {
    let (receiver, peer) = Receiver::start().await;
    receiver.answers_first(&[500; 9]);
    let shared = Shared::new(store);
    let Replica { ledger, notify_tasks, notifier: _notifier } =
        Replica::new(&shared, "audit", &peer).await;
    ledger.post(&notice("old", now() - 86_400)).await.unwrap();
    let (end, ended) = watch::channel(false);
    let running = tokio::spawn(notify_tasks.run(ended));
    wait_until_none_waits(ledger.as_ref()).await;
    end.send_replace(true);
    running.await.unwrap();
    assert_eq!(receiver.inner().tries.len(), 1, "it is tried before it is given up");
    let log = std::fs::read_to_string(shared.path("audit")).unwrap();
    let record: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    let fields = ["event", "notice_id", "backend", "handle", "failure_code", "tries"];
    let told = fields.map(|name| record[name].clone());
    let expected = ["notice_given_up", "old", "bao", "github-ci", "backend_down"];
    assert_eq!(told[..5], expected.map(Value::from));
    assert_eq!(told[5], 1);
}

async fn of_two_replicas_one_delivers(store: Store) {
    let (receiver, peer) = Receiver::start().await;
    let shared = Shared::new(store);
    let one = Replica::new(&shared, "audit-1", &peer).await;
    let other = Replica::new(&shared, "audit-2", &peer).await;
    for number in 0..20 {
        one.ledger.post(&notice(&format!("n{number}"), now())).await.unwrap();
    }
    let (end, ended) = watch::channel(false);
    let running =
        [one.notify_tasks, other.notify_tasks].map(|one| tokio::spawn(one.run(ended.clone())));
    wait_until_none_waits(one.ledger.as_ref()).await;
    end.send_replace(true);
    for one in running {
        one.await.unwrap();
    }
    let mut ids: Vec<_> = receiver.inner().tries.iter().map(|one| one.0.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), receiver.inner().tries.len()), (20, 20));
}

async fn what_failed_before_the_end_is_in_the_ledger_after_it(store: Store) {
    let (_, peer) = Receiver::start().await;
    let shared = Shared::new(store);
    let replicas = [
        Replica::new(&shared, "audit-1", &peer).await,
        Replica::new(&shared, "audit-2", &peer).await,
    ];
    let (_end, ended) = watch::channel(true);
    for Replica { ledger, notifier, notify_tasks } in replicas {
        for handle in ["a", "b", "a"] {
            notifier.report(&BackendFailure {
                backend: "bao".into(),
                actor: "default".into(),
                handle: handle.into(),
                code: "backend_down",
            });
        }
        notify_tasks.run(ended.clone()).await;
        let waiting = ledger.waiting().await.unwrap();
        // Two replicas that see the same failure write one row, unless a minute begins between them.
        assert!((2..=4).contains(&waiting), "{waiting}");
    }
}
