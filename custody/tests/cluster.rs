//! Two `custody serve` on one PostgreSQL, as behind a load balancer: processes of their own, with
//! their own listeners, audit logs and memory.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use axum::body::Body;
use common::client::{Answer, over_http1, post};
use common::stores::Store;
use common::{CANARY, Home, Running, custody, run, text};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const REQUESTS: usize = 50;
const ROUNDS: usize = 5;

struct Cluster {
    replicas: [Running; 2],
    audits: [PathBuf; 2],
    home: Home,
}

impl Cluster {
    fn start() -> Self {
        let home = Home::bare(Store::Postgres);
        home.put("pay", &[], CANARY);
        home.grants(
            "- {handle: pay, destinations: [api.github.com], claims: {team: [build]}, binding: any}",
        );
        let second = home.path("custody-2.yaml");
        let config = fs::read_to_string(home.config()).unwrap();
        fs::write(&second, config.replace("path: audit.jsonl", "path: audit-2.jsonl")).unwrap();
        let replicas = [home.serve(), Running::start(&second)];
        assert_ne!(replicas[0].child.id(), replicas[1].child.id());
        let audits = [home.audit(), home.path("audit-2.jsonl")];
        Self { replicas, audits, home }
    }

    /// This request so often, half of it at each replica; every connection is open before the first
    /// byte of any is sent.
    async fn at_once(&self, request: &Value, times: usize) -> Vec<Answer> {
        let client = self.home.edge_client();
        let edges = (0..times).map(|number| self.replicas[number % 2].edge);
        let streams = join_all(edges.map(|edge| client.connect(edge))).await;
        let body = request.to_string();
        let asking = streams.into_iter().map(|stream| {
            let body = Body::from(body.clone());
            async { over_http1(stream.unwrap(), post(body)).await.unwrap() }
        });
        join_all(asking).await
    }

    /// What the audit logs of both say of this event.
    fn records(&self, event: &str) -> [Vec<Value>; 2] {
        self.audits.each_ref().map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            all.filter(|record| record["event"] == event).collect()
        })
    }

    async fn order(&self, replica: usize, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map(|body| body.to_string().into_bytes());
        let client = self.home.operator_client();
        let admin = self.replicas[replica].admin;
        let answer = client.send(admin, method, path, &[], body.as_deref()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn status(&self, replica: usize) -> u16 {
        let mut request = self.home.request();
        request["handle"] = "pay".into();
        self.home.lease(&self.replicas[replica], &request).await.status
    }
}

fn verifies(audit: &Path) {
    let output = run(custody().args(["audit", "verify"]).arg(audit), b"");
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_at_two_processes_are_one_lease() {
    let cluster = Cluster::start();
    for round in 0..ROUNDS {
        let request = cluster.home.once("pay", &round.to_string());
        let answers = cluster.at_once(&request, REQUESTS).await;
        let given = answers.iter().filter(|answer| answer.status == 200);
        assert_eq!(given.count(), 1, "{answers:?}");
        let replayed = answers
            .iter()
            .filter(|answer| answer.status == 409 && answer.json()["code"] == "replay_rejected");
        assert_eq!(replayed.count(), REQUESTS - 1, "{answers:?}");
    }
    // Both took part, and together they wrote down all of it.
    let [one, other] = cluster.records("lease");
    let allowed = one.iter().chain(&other).filter(|record| record["outcome"] == "allow").count();
    let half = ROUNDS * REQUESTS / 2;
    assert_eq!((allowed, one.len(), other.len()), (ROUNDS, half, half));
    cluster.audits.iter().for_each(|audit| verifies(audit));
}

#[tokio::test]
async fn what_one_process_is_told_the_other_knows_at_once() {
    let cluster = Cluster::start();
    assert_eq!([cluster.status(0).await, cluster.status(1).await], [200, 200]);
    let order = json!({"kind": "session", "id": "jti-1"});
    cluster.order(0, "POST", "/v1/revocations", Some(order)).await;
    assert_eq!(cluster.status(1).await, 401);
    cluster.order(1, "DELETE", "/v1/revocations/session/jti-1", None).await;
    assert_eq!(cluster.status(0).await, 200);
    cluster.order(1, "PUT", "/v1/kill-switch", Some(json!({"on": true}))).await;
    assert_eq!(cluster.status(0).await, 403);
    // The one that was told dies; what it was told stands.
    let Cluster { replicas: [one, other], home, .. } = cluster;
    drop(other);
    let mut request = home.request();
    request["handle"] = "pay".into();
    assert_eq!(home.lease(&one, &request).await.status, 403);
}

#[tokio::test]
async fn a_root_key_replaced_through_one_process_is_taken_up_by_the_other() {
    let cluster = Cluster::start();
    assert_eq!([cluster.status(0).await, cluster.status(1).await], [200, 200]);
    cluster.home.replace_root_key();
    let rotated = cluster.order(0, "POST", "/v1/root-key/rotate", None).await;
    assert_eq!((&rotated["rewrapped"], &rotated["kept"]), (&json!(1), &json!([])));
    assert_eq!([cluster.status(0).await, cluster.status(1).await], [200, 200]);
    // What the other stores now is under the new key, and the old one stays forgotten.
    let stored = json!({"type": "bearer", "token": CANARY});
    cluster.order(1, "PUT", "/v1/credentials/default/pay", Some(stored)).await;
    let rotated = cluster.order(0, "POST", "/v1/root-key/rotate", None).await;
    assert_eq!((&rotated["rewrapped"], &rotated["dropped"]), (&json!(0), &json!([])));
}
