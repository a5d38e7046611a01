use crate::sample::{NOW, lease, release, reservation};
use crate::store::Home;
use custody_ledger::{
    Attempt, Closed, LeaseFilter, Ledger, NewLease, Opened, Recorded, ReportedOutcome, Settled,
};
use std::sync::Arc;

const KEY: [u8; 32] = [1; 32];

fn held(by: &str, attempts: u32) -> Opened {
    Opened::Held { lease_id: format!("lease-1-{by}"), attempts }
}

pub async fn an_operation_is_opened_once(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    assert_eq!(ledger.open(&reservation(1, "a", NOW)).await, Ok(held("a", 0)));
    for holder in ["a", "b"] {
        let again = ledger.open(&reservation(1, holder, NOW + 9)).await;
        assert_eq!(again, Ok(Opened::Replayed), "{holder}");
    }
    let other = ledger.open(&reservation(2, "b", NOW)).await;
    assert!(matches!(other, Ok(Opened::Held { .. })), "{other:?}");
    ledger.give_up(&KEY, "b").await.unwrap();
    let again = ledger.open(&reservation(1, "b", NOW + 9)).await;
    assert_eq!(again, Ok(Opened::Replayed), "not b's to give up");
}

pub async fn attempts_are_counted_and_end(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    assert_eq!(ledger.attempt(&KEY, "a").await, Ok(Attempt::Lost), "nothing is open");
    ledger.open(&reservation(1, "a", NOW)).await.unwrap();
    assert_eq!(ledger.attempt(&KEY, "b").await, Ok(Attempt::Lost));
    assert_eq!(ledger.attempt(&KEY, "a").await, Ok(Attempt::Counted(1)));
    assert_eq!(ledger.attempt(&KEY, "a").await, Ok(Attempt::Counted(2)));
    ledger.give_up(&KEY, "a").await.unwrap();
    assert_eq!(ledger.attempt(&KEY, "a").await, Ok(Attempt::Lost), "it was given up");
    let mut greedy = reservation(1, "b", NOW);
    greedy.budget = 9;
    assert_eq!(ledger.open(&greedy).await, Ok(held("a", 2)), "the first lease id stays");
    assert_eq!(ledger.attempt(&KEY, "b").await, Ok(Attempt::Counted(3)));
    assert_eq!(ledger.attempt(&KEY, "b").await, Ok(Attempt::Exhausted), "the first budget stays");
    ledger.give_up(&KEY, "b").await.unwrap();
    let spent = ledger.open(&reservation(1, "c", NOW + 100)).await;
    assert_eq!(spent, Ok(Opened::Replayed), "no attempts are left");
}

pub async fn a_dead_holder_loses_it_and_refunds_nothing(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.open(&reservation(1, "a", NOW)).await.unwrap();
    ledger.attempt(&KEY, "a").await.unwrap();
    drop(ledger);
    let ledger = home.open().await;
    assert_eq!(ledger.open(&reservation(1, "b", NOW + 9)).await, Ok(Opened::Replayed));
    assert_eq!(ledger.open(&reservation(1, "b", NOW + 10)).await, Ok(held("a", 1)));
    assert_eq!(ledger.attempt(&KEY, "a").await, Ok(Attempt::Lost), "it was only slow");
    assert_eq!(release(&*ledger, &KEY, "a").await, Ok(false), "its value must not leave");
    assert_eq!(ledger.attempt(&KEY, "b").await, Ok(Attempt::Counted(2)));
    assert_eq!(release(&*ledger, &KEY, "b").await, Ok(true));
}

pub async fn released_is_for_good_and_settled_once(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.open(&reservation(1, "a", NOW)).await.unwrap();
    ledger.attempt(&KEY, "a").await.unwrap();
    let settle = |code| ledger.settle("lease-1-a", Closed::Failed, code, NOW);
    assert_eq!(settle(None).await, Ok(Settled::Unknown), "nothing was released");
    assert_eq!(release(&*ledger, &KEY, "b").await, Ok(false));
    assert_eq!(release(&*ledger, &KEY, "a").await, Ok(true));
    assert_eq!(release(&*ledger, &KEY, "a").await, Ok(false));
    assert_eq!(ledger.attempt(&KEY, "a").await, Ok(Attempt::Lost));
    ledger.give_up(&KEY, "a").await.unwrap();
    let again = ledger.open(&reservation(1, "b", NOW + 100)).await;
    assert_eq!(again, Ok(Opened::Replayed), "also when its holder is long silent");
    assert_eq!(settle(Some("upstream_reset")).await, Ok(Settled::Now));
    assert_eq!(settle(None).await, Ok(Settled::Before));
    let again = ledger.open(&reservation(1, "b", NOW + 100)).await;
    assert_eq!(again, Ok(Opened::Replayed));
    let unknown = ledger.settle("lease-9-a", Closed::Accepted, None, NOW).await;
    assert_eq!(unknown, Ok(Settled::Unknown));
}

pub async fn a_lease_of_a_session_is_settled_once_too(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.record(&NewLease::of(&lease("lse-1", "s", NOW))).await.unwrap();
    let settle = |id, code| ledger.settle(id, Closed::Failed, code, NOW + 1);
    assert_eq!(settle("lse-2", Some("upstream_401")).await, Ok(Settled::Unknown));
    assert_eq!(settle("lse-1", Some("upstream_401")).await, Ok(Settled::Now));
    assert_eq!(settle("lse-1", None).await, Ok(Settled::Before));
    let told =
        ReportedOutcome { outcome: Closed::Failed, failure_code: Some("upstream_401".into()) };
    assert_eq!(outcome_of(&*ledger, "lse-1").await, Some(told));
}

pub async fn an_outcome_stands_beside_its_lease(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.open(&reservation(1, "a", NOW)).await.unwrap();
    ledger.record(&NewLease::of(&lease("lease-1-a", "s", NOW))).await.unwrap();
    let settle = || ledger.settle("lease-1-a", Closed::Delivered, None, NOW);
    assert_eq!(settle().await, Ok(Settled::Unknown), "it has not been released");
    assert_eq!(outcome_of(&*ledger, "lease-1-a").await, None);
    ledger.attempt(&KEY, "a").await.unwrap();
    let row = lease("lease-1-a", "s", NOW);
    let released = NewLease { hold: Some((&KEY, "a")), ..NewLease::of(&row) };
    assert_eq!(ledger.record(&released).await, Ok(Recorded::Written));
    assert_eq!(settle().await, Ok(Settled::Now));
    let told = ReportedOutcome { outcome: Closed::Delivered, failure_code: None };
    assert_eq!(outcome_of(&*ledger, "lease-1-a").await, Some(told));
}

async fn outcome_of(ledger: &dyn Ledger, lease_id: &str) -> Option<ReportedOutcome> {
    let lease_id = Some(lease_id.to_owned());
    let filter = LeaseFilter { lease_id, limit: 1, ..LeaseFilter::default() };
    ledger.leases(&filter).await.unwrap().remove(0).outcome
}
