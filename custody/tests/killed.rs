//! `kill -9` of the whole service under load, a hundred times on each store: no revocation is lost,
//! no operation is authorised twice, and the audit log is one chain with every lease in it.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::client::{over_http1, post};
use common::stores::{Store, on_both_stores};
use common::workers::WorkersHome;
use common::{CANARY, Home, ISSUER, Running, text};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    a_hundred_times,
    a_teardown_that_is_cut_off_goes_on,
}

const ROUNDS: u64 = 100;
const CALLERS: u64 = 3;
/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What custody has acknowledged; it counts whatever happens afterwards.
#[derive(Default)]
struct Acknowledged {
    /// Requests that were answered with a lease, and its id.
    leases: Mutex<Vec<(Value, String)>>,
    revoked: Mutex<BTreeSet<String>>,
    count: AtomicU64,
}

fn home(store: Store) -> Home {
    let home = Home::bare(store);
    home.grants(
        "- {handle: github-ci, destinations: [api.github.com], claims: {team: [build]},
     binding: any}",
    );
    home
}

/// A single-use request of a session of its own.
fn request(home: &Home, name: &str) -> Value {
    let mut request = home.once("github-ci", name);
    request["session"] = home.token_with("jti", name.into()).into();
    request
}

/// One request; `None` if custody died before it answered.
async fn ask(home: &Home, running: &Running, request: &Value) -> Option<(u16, Value)> {
    let stream = home.edge_client().connect(running.edge).await.ok()?;
    let body = Body::from(request.to_string());
    let answer = over_http1(stream, post(body)).await.ok()?;
    Some((answer.status, answer.json()))
}

async fn lease(home: &Home, running: &Running, done: &Acknowledged, name: String) {
    for number in 0.. {
        let request = request(home, &format!("{name}-{number}"));
        let Some((status, answer)) = ask(home, running, &request).await else { return };
        assert_eq!(status, 200, "{answer}");
        let id = answer["lease_id"].as_str().unwrap().to_owned();
        done.leases.lock().unwrap().push((request, id));
        done.count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn revoke(home: &Home, running: &Running, done: &Acknowledged, round: u64) {
    for number in 0.. {
        let id = format!("gone-{round}-{number}");
        let order = json!({"kind": "session", "id": id}).to_string().into_bytes();
        let client = home.operator_client();
        let sent = client.send(running.admin, "POST", "/v1/revocations", &[], Some(&order)).await;
        let Ok(answer) = sent else { return };
        assert_eq!(answer.status, 200, "{}", answer.text());
        done.revoked.lock().unwrap().insert(id);
        done.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Load until so much is acknowledged, then the end of it.
async fn kill_under_load(home: &Home, running: Running, done: &Acknowledged, round: u64) {
    let pid = running.child.id().to_string();
    let until = done.count.load(Ordering::Relaxed) + u64::from(getrandom::u32().unwrap() % 20);
    let killing = async {
        let begin = Instant::now();
        while done.count.load(Ordering::Relaxed) < until {
            assert!(begin.elapsed() < PATIENCE, "custody does not answer");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let status = std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
        assert!(status.success());
    };
    let callers = (0..CALLERS).map(|n| lease(home, &running, done, format!("{round}-{n}")));
    let revoking = revoke(home, &running, done, round);
    tokio::join!(killing, join_all(callers), revoking);
}

/// What was acknowledged is so, as the next custody sees it.
async fn check(home: &Home, running: &Running, done: &Acknowledged, since: usize) {
    let leases = done.leases.lock().unwrap()[since..].to_vec();
    for (request, id) in leases.iter().rev().take(3) {
        let (status, answer) = ask(home, running, request).await.unwrap();
        assert_eq!((status, &answer["code"]), (409, &json!("replay_rejected")), "{id}");
    }
    let path = "/v1/revocations";
    let client = home.operator_client();
    let answer = client.send(running.admin, "GET", path, &[], None).await.unwrap().json();
    let listed = answer["revocations"].as_array().unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|one| one["id"].as_str().unwrap()).collect();
    for id in &*done.revoked.lock().unwrap() {
        let name = format!("{ISSUER}#{id}");
        assert!(listed.contains(name.as_str()), "the revocation of {name} is lost");
    }
}

async fn a_hundred_times(store: Store) {
    let home = &home(store);
    home.put("github-ci", &[], CANARY);
    let done = Arc::new(Acknowledged::default());
    let begin = Instant::now();
    let mut running = home.serve();
    for round in 0..ROUNDS {
        let since = done.leases.lock().unwrap().len();
        kill_under_load(home, running, &done, round).await;
        running = home.serve();
        check(home, &running, &done, since).await;
    }
    assert_eq!(running.stop(), 0);
    let verified = home.verify();
    assert!(verified.status.success(), "{}", text(&verified));
    let audited = std::fs::read_to_string(home.audit()).unwrap();
    let leases = done.leases.lock().unwrap();
    for (_, id) in &*leases {
        assert!(audited.contains(id.as_str()), "lease {id} is not in the audit log");
    }
    let ids: BTreeSet<_> = leases.iter().map(|(_, id)| id).collect();
    assert_eq!(ids.len(), leases.len(), "a lease was given twice");
    let revoked = done.revoked.lock().unwrap().len();
    eprintln!("{ROUNDS} kills in {:?}: {} leases, {revoked} revoked", begin.elapsed(), ids.len());
    assert!(ids.len() > 100 && revoked > 30, "no load");
}

/// Live leases of one actor: more than are revoked before it is killed.
const LEASES: usize = 30_000;

/// The leases that are revoked.
async fn revoked(home: &Home, running: &Running) -> usize {
    let client = home.operator_client();
    let answer = client.send(running.admin, "GET", "/v1/revocations", &[], None).await.unwrap();
    answer.json()["revocations"].as_array().unwrap().len()
}

async fn a_teardown_that_is_cut_off_goes_on(store: Store) {
    let workers = &WorkersHome::new(store);
    let home = &workers.home;
    let running = home.serve();
    let (issued, ends) = (common::now(), common::now() + 900);
    home.tamper(&format!(
        "WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {LEASES})
         INSERT INTO lease (lease_id, session, subject, actor, handle, destination, binding,
            issued_at, expires_at, backend)
         SELECT 'l-' || n, 's', 'w', 'ada', 'h', 'worker', 'session', {issued}, {ends}, 'sealed'
         FROM count"
    ));
    let token = workers.token("cred.teardown", "ada", "*");
    let bearer = format!("Bearer {token}");
    let (headers, body) =
        ([("authorization", bearer.as_str())], json!({"actor": "ada"}).to_string());
    let (pid, client) = (running.child.id().to_string(), workers.client());
    let path = "/v1/cred/teardown";
    let order = client.send(running.workers, "POST", path, &headers, Some(body.as_bytes()));
    let killing = async {
        let begin = Instant::now();
        while revoked(home, &running).await == 0 {
            assert!(begin.elapsed() < PATIENCE, "nothing is revoked");
        }
        assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    };
    let (answer, ()) = tokio::join!(order, killing);
    assert!(answer.is_err(), "it was done before it was killed");
    drop(running);
    let running = home.serve();
    let before = revoked(home, &running).await;
    assert!((1..LEASES).contains(&before), "{before}");
    let begin = Instant::now();
    let is_done = || {
        let mut records = home.records().into_iter();
        records.any(|record| record["event"] == "leases_revoked" && record["outcome"] == "allow")
    };
    while !is_done() {
        assert!(begin.elapsed() < PATIENCE, "nobody goes on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(revoked(home, &running).await, LEASES);
    let records = home.records();
    let resumed = records.iter().find(|record| record["reason"] == "resumed").unwrap();
    assert_eq!((&resumed["by"], &resumed["target"]), (&json!("worker-7"), &json!("ada")));
    assert_eq!(running.stop(), 0);
}
