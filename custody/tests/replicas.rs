//! Two custodies on one PostgreSQL: what one has given or been told, the other knows.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod inside;

use custody_ledger::{LeaseFilter, Target};
use futures_util::future::join_all;
use inside::Inside;
use inside::scripted::Step;
use inside::stores::Database;
use lease::SyncAnswer;
use session::Algorithm;
use session::mint::SigningKey;
use std::collections::BTreeSet;
use std::time::Duration;

struct Cluster {
    replicas: [Inside; 2],
    /// Dropped last.
    _database: Database,
}

impl Cluster {
    async fn start() -> Self {
        let database = Database::start();
        let key = SigningKey::generate(Algorithm::EdDsa, Some("k")).unwrap().to_pem().unwrap();
        let replica = async || {
            // A pool, an audit log and sources of its own.
            let ledger = database.ledger().await;
            let key = SigningKey::from_pem(&key, Some("k")).unwrap();
            let folder = tempfile::tempdir().unwrap();
            Inside::over(key, folder, ledger, ("", ""), 2).await
        };
        let replicas = [replica().await, replica().await];
        Self { replicas, _database: database }
    }

    /// How often any source of any replica was asked.
    fn times(&self) -> usize {
        self.replicas.iter().map(|replica| replica.sources.times()).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_on_two_replicas_are_one_lease() {
    let cluster = Cluster::start().await;
    for round in 0..5 {
        let before = cluster.times();
        // The very same bytes to both.
        let request = cluster.replicas[0].once(&round.to_string());
        let asking = (0..50).map(|number| cluster.replicas[number % 2].lease(&request));
        let answers = join_all(asking).await;
        let given: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let replayed =
            answers.iter().filter(|a| a.status == 409 && a.body.contains("replay_rejected"));
        assert_eq!((given.len(), replayed.count()), (1, 49), "{answers:?}");
        assert_eq!(cluster.times() - before, 1, "one question to one source");
    }
}

#[tokio::test]
async fn attempts_count_on_all_replicas_together() {
    let cluster = Cluster::start().await;
    let [one, other] = &cluster.replicas;
    for replica in [one, one, other] {
        replica.sources.then(Step::Panic);
    }
    let request = one.once("k");
    // Primary and backup of the first; the primary of the second; and nothing is left.
    for (replica, status) in [(one, 503), (other, 503), (one, 409), (other, 409)] {
        assert_eq!(replica.lease(&request).await.status, status);
    }
    assert_eq!(cluster.times(), 3);
    // The twin: what one could not get, the other does under the same reservation, once.
    for _ in 0..2 {
        one.sources.then(Step::Panic);
    }
    let request = one.once("l");
    for (replica, status) in [(one, 503), (other, 200), (one, 409), (other, 409)] {
        assert_eq!(replica.lease(&request).await.status, status);
    }
}

#[tokio::test]
async fn a_revocation_counts_at_once_and_is_heard_everywhere() {
    let cluster = Cluster::start().await;
    let [one, other] = &cluster.replicas;
    assert_eq!(other.lease(&other.request()).await.status, 200);
    let hear = async |query: String| {
        let answer = other.get(&format!("/v1/sync{query}")).await;
        SyncAnswer::decode(answer.body.as_bytes()).unwrap()
    };
    let known = hear(String::new()).await;
    let waiting = hear(format!("?cursor={}&wait=30", known.cursor));
    let waiting = tokio::time::timeout(Duration::from_secs(20), waiting);
    let revoking = async {
        tokio::task::yield_now().await;
        one.revoke(Target::Session("i#j".into())).await;
        assert_eq!(other.lease(&other.request()).await.status, 401, "no later than its commit");
    };
    let (heard, ()) = tokio::join!(waiting, revoking);
    assert_eq!(heard.unwrap().changes[0].id, "i#j");
    assert!(other.restore(&Target::Session("i#j".into())).await);
    assert_eq!(one.lease(&one.request()).await.status, 200);
    one.ledger.real.set_kill_switch(true).await.unwrap();
    assert_eq!(other.lease(&other.request()).await.status, 403);
}

/// Fifty leases are under way on both replicas while one of them revokes their session.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn leases_under_way_when_revoke_answers_are_refused_or_listed() {
    let cluster = Cluster::start().await;
    let [one, other] = &cluster.replicas;
    let target = Target::Session("i#j".into());
    let all = LeaseFilter { session: Some("i#j".into()), limit: 10_000, ..LeaseFilter::default() };
    let mut refused = 0;
    for _ in 0..10 {
        // Half of the sources answer only after the revocation has.
        let (began, go) = one.sources.then_wait();
        for _ in 0..24 {
            one.sources.then(Step::Wait(began.clone(), go.clone()));
        }
        let request = one.request();
        let leasing = (0..50).map(|number| cluster.replicas[number % 2].lease(&request));
        let revoking = async {
            began.acquire_many(25).await.unwrap().forget();
            one.revoke(target.clone()).await;
            let listed = other.ledger.real.leases(&all).await.unwrap();
            go.add_permits(25);
            listed
        };
        let (answers, listed) = tokio::join!(join_all(leasing), revoking);
        let listed: BTreeSet<_> = listed.into_iter().map(|lease| lease.lease_id).collect();
        for answer in &answers {
            match answer.status {
                200 => {
                    let lease_id = answer.json()["lease_id"].as_str().unwrap().to_owned();
                    assert!(listed.contains(&lease_id), "given after revoke had answered");
                }
                _ => {
                    assert_eq!(answer.refusal(), (401, "session_refused".into()));
                    refused += 1;
                }
            }
        }
        assert!(other.restore(&target).await);
    }
    assert!(refused >= 250, "{refused}: whatever waited for its source is refused");
}

/// An edge may go on with another replica where it stopped with the first.
#[tokio::test]
async fn a_cursor_is_good_on_every_replica() {
    let cluster = Cluster::start().await;
    let [one, other] = &cluster.replicas;
    let hear = async |replica: &Inside, query: String| {
        let answer = replica.get(&format!("/v1/sync{query}")).await;
        SyncAnswer::decode(answer.body.as_bytes()).unwrap()
    };
    let known = hear(one, String::new()).await;
    one.revoke(Target::Lease("lse_1".into())).await;
    let heard = hear(other, format!("?cursor={}", known.cursor)).await;
    assert!(!heard.full);
    assert_eq!(heard.changes[0].id, "lse_1");
}
