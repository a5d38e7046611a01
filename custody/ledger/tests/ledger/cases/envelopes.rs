use crate::sample::{NOW, access_state, actor, handle, key, row};
use crate::store::Home;
use custody_ledger::LedgerFault;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;

pub async fn versions_are_never_given_twice(home: Arc<dyn Home>) {
    let ledgers = [home.open().await, home.open().await];
    let all = join_all((0..40).map(|n| {
        let ledger = Arc::clone(&ledgers[n % 2]);
        tokio::spawn(async move { ledger.next_version().await.unwrap() })
    }))
    .await;
    let all: BTreeSet<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all.len(), 40);
    let last = *all.last().unwrap();
    drop(ledgers);
    assert!(home.open().await.next_version().await.unwrap() > last, "not after a restart either");
}

pub async fn the_later_version_stays(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let (owner, name) = (actor("a"), handle("h"));
    assert_eq!(ledger.get(&owner, &name).await, Ok(None));
    let orphan = ledger.put(&row("a", "h", 1, "k1")).await;
    assert!(matches!(orphan, Err(LedgerFault::Down(_))), "no such key: {orphan:?}");
    assert_eq!(ledger.add_key(&key("k1")).await, Ok(true));
    assert_eq!(ledger.put(&row("a", "h", 2, "k1")).await, Ok(true));
    assert_eq!(ledger.put(&row("a", "h", 1, "k1")).await, Ok(false));
    assert_eq!(ledger.get(&owner, &name).await, Ok(Some(row("a", "h", 2, "k1"))));
    let mut later = row("a", "h", 3, "k1");
    (later.shape, later.envelope, later.stored_at) = ("{}".into(), vec![5], NOW + 1);
    assert_eq!(ledger.put(&later).await, Ok(true));
    drop(ledger);
    assert_eq!(home.open().await.get(&owner, &name).await, Ok(Some(later)));
}

pub async fn the_row_comes_with_the_standing(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    ledger.add_key(&key("k1")).await.unwrap();
    for stored in [row("a", "h", 1, "k1"), row("a", "i", 2, "k1"), row("b", "h", 3, "k1")] {
        ledger.put(&stored).await.unwrap();
        let of = async |under: &str, whose: &str| {
            access_state(&*replica, "s", under, whose).await.sealed
        };
        assert_eq!(of(stored.handle.as_str(), stored.actor.as_str()).await, Some(stored));
        assert_eq!((of("x", "a").await, of("h", "x").await), (None, None));
    }
    ledger.delete(&actor("a"), &handle("h")).await.unwrap();
    assert_eq!(access_state(&*replica, "s", "h", "a").await.sealed, None);
}

pub async fn they_are_listed_in_order(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.add_key(&key("k1")).await.unwrap();
    let [first, second, third] =
        [row("A", "z", 3, "k1"), row("a", "Y", 1, "k1"), row("a", "x", 2, "k1")];
    for row in [&third, &first, &second] {
        assert!(ledger.put(row).await.unwrap());
    }
    assert_eq!(ledger.list().await.unwrap(), [first, second, third], "by bytes, not by a language");
}

pub async fn deleting_is_of_one_and_wiping_of_all(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.add_key(&key("k1")).await.unwrap();
    for (version, (of, under)) in
        [("a", "x"), ("a", "y"), ("a", "z"), ("b", "x")].iter().enumerate()
    {
        ledger.put(&row(of, under, version as u64 + 1, "k1")).await.unwrap();
    }
    assert_eq!(ledger.delete(&actor("a"), &handle("x")).await, Ok(true));
    assert_eq!(ledger.delete(&actor("a"), &handle("x")).await, Ok(false));
    assert_eq!(ledger.get(&actor("a"), &handle("x")).await, Ok(None));
    assert_eq!(ledger.wipe(&actor("a")).await, Ok(2));
    assert_eq!(ledger.wipe(&actor("a")).await, Ok(0));
    assert_eq!(ledger.list().await.unwrap(), [row("b", "x", 4, "k1")]);
}

pub async fn a_key_goes_only_when_it_seals_nothing(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let mut second = key("k2");
    second.created_at = NOW - 1;
    assert_eq!(ledger.add_key(&key("k1")).await, Ok(true));
    assert_eq!(ledger.add_key(&second).await, Ok(true));
    let mut again = key("k1");
    again.salt = vec![1; 32];
    assert_eq!(ledger.add_key(&again).await, Ok(false));
    assert_eq!(ledger.keys().await.unwrap(), [second.clone(), key("k1")], "oldest first, as added");
    ledger.put(&row("a", "x", 1, "k1")).await.unwrap();
    assert_eq!(ledger.drop_key("k1").await, Ok(false));
    assert_eq!(ledger.drop_key("k2").await, Ok(true));
    assert_eq!(ledger.drop_key("k2").await, Ok(true), "it is forgotten");
    ledger.delete(&actor("a"), &handle("x")).await.unwrap();
    assert_eq!(ledger.drop_key("k1").await, Ok(true));
    assert!(ledger.keys().await.unwrap().is_empty());
}

pub async fn rewrapping_is_of_the_row_that_was_read(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    for id in ["k1", "k2"] {
        ledger.add_key(&key(id)).await.unwrap();
    }
    for (under, version) in [("x", 1), ("y", 2), ("z", 3)] {
        ledger.put(&row("a", under, version, "k1")).await.unwrap();
    }
    assert_eq!(ledger.sealed_by_others("k1", 10).await, Ok(Vec::new()));
    let old = ledger.sealed_by_others("k2", 2).await.unwrap();
    assert_eq!(old, [row("a", "x", 1, "k1"), row("a", "y", 2, "k1")]);
    let mut new = row("a", "x", 4, "k2");
    new.envelope = vec![42];
    assert_eq!(ledger.rewrap(&old[0], &new).await, Ok(true));
    assert_eq!(ledger.rewrap(&old[0], &new).await, Ok(false), "it is not there any more");
    // What somebody put is carried on, and not replaced.
    new.origin = old[0].origin;
    assert_eq!(ledger.get(&actor("a"), &handle("x")).await, Ok(Some(new)));
    // Somebody stores a new value in between.
    ledger.put(&row("a", "y", 5, "k2")).await.unwrap();
    assert_eq!(ledger.rewrap(&old[1], &row("a", "y", 6, "k2")).await, Ok(false));
    assert_eq!(ledger.sealed_by_others("k2", 10).await.unwrap(), [row("a", "z", 3, "k1")]);
}
