//! Many callers at once, on two replicas (two connections to one file, or to one database).

use crate::sample::{NOW, key, lease, origin_of, reservation, revocation, row, session};
use crate::store::Home;
use custody_ledger::{
    Attempt, Change, LeaseFilter, LeaseRow, Ledger, NewLease, Opened, Recorded, Target,
};
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::sync::Arc;

const CALLERS: usize = 50;

async fn two(home: &dyn Home) -> [Arc<dyn Ledger>; 2] {
    [home.open().await, home.open().await]
}

/// Fifty calls at once, half of them on each replica.
async fn all_at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    ledgers: &[Arc<dyn Ledger>; 2],
    call: impl Fn(Arc<dyn Ledger>, usize) -> F,
) -> Vec<T> {
    let calls =
        (0..CALLERS).map(|caller| tokio::spawn(call(Arc::clone(&ledgers[caller % 2]), caller)));
    join_all(calls).await.into_iter().map(Result::unwrap).collect()
}

pub async fn of_fifty_that_open_one_holds(home: Arc<dyn Home>) {
    let ledgers = two(&*home).await;
    for key in 0..5 {
        let opened = all_at_once(&ledgers, |ledger, caller| async move {
            ledger.open(&reservation(key, &format!("caller-{caller}"), NOW)).await.unwrap()
        })
        .await;
        let held: Vec<_> = opened.iter().filter(|opened| **opened != Opened::Replayed).collect();
        assert_eq!(held.len(), 1, "{held:?}");
    }
}

pub async fn of_fifty_that_take_over_one_holds(home: Arc<dyn Home>) {
    let ledgers = two(&*home).await;
    ledgers[0].open(&reservation(1, "dead", NOW)).await.unwrap();
    ledgers[0].attempt(&[1; 32], "dead").await.unwrap();
    let opened = all_at_once(&ledgers, |ledger, caller| async move {
        ledger.open(&reservation(1, &format!("caller-{caller}"), NOW + 10)).await.unwrap()
    })
    .await;
    let held: Vec<_> = opened.iter().filter(|opened| **opened != Opened::Replayed).collect();
    let expected = Opened::Held { lease_id: "lease-1-dead".into(), attempts: 1 };
    assert_eq!(held, [&expected]);
}

pub async fn of_fifty_attempts_three_are_counted(home: Arc<dyn Home>) {
    let ledgers = two(&*home).await;
    ledgers[0].open(&reservation(1, "a", NOW)).await.unwrap();
    let attempts =
        all_at_once(
            &ledgers,
            |ledger, _| async move { ledger.attempt(&[1; 32], "a").await.unwrap() },
        )
        .await;
    let counted: BTreeSet<_> = attempts
        .iter()
        .filter_map(|attempt| match attempt {
            Attempt::Counted(number) => Some(*number),
            Attempt::Exhausted => None,
            Attempt::Lost => panic!("lost"),
        })
        .collect();
    assert_eq!(counted, BTreeSet::from([1, 2, 3]));
    assert_eq!(attempts.iter().filter(|attempt| **attempt == Attempt::Exhausted).count(), 47);
}

pub async fn of_fifty_that_lock_one_owns(home: Arc<dyn Home>) {
    let ledgers = two(&*home).await;
    let owners = all_at_once(&ledgers, |ledger, caller| async move {
        ledger.lock("l", &format!("caller-{caller}"), NOW, NOW + 10).await.unwrap()
    })
    .await;
    assert_eq!(owners.iter().filter(|owns| **owns).count(), 1);
}

/// Two readers follow while fifty revoke: whatever a reader passes by is lost to it for ever.
pub async fn no_reader_passes_a_change_by(home: Arc<dyn Home>) {
    let ledgers = two(&*home).await;
    let begin = ledgers[0].changes(None).await.unwrap().cursor;
    let readers = ledgers.clone().map(|ledger| tokio::spawn(follow(ledger, begin.clone())));
    all_at_once(&ledgers, |ledger, caller| async move {
        for n in 0..3 {
            let target = session(&format!("s-{caller}-{n}"));
            ledger.revoke(&revocation(target, None)).await.unwrap();
        }
    })
    .await;
    for reader in readers {
        let told = reader.await.unwrap();
        let once: BTreeSet<_> = told.iter().collect();
        assert_eq!((told.len(), once.len()), (3 * CALLERS, 3 * CALLERS));
    }
}

async fn follow(ledger: Arc<dyn Ledger>, mut cursor: String) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < 3 * CALLERS {
        ledger.wait(&cursor, std::time::Duration::from_secs(10)).await.unwrap();
        let feed = ledger.changes(Some(&cursor)).await.unwrap();
        assert!(!feed.full && (feed.cursor == cursor) == feed.changes.is_empty());
        assert!(!feed.changes.is_empty(), "passed by: {} of {}", told.len(), 3 * CALLERS);
        cursor = feed.cursor;
        told.extend(feed.changes.into_iter().map(|change| match change {
            Change::Revoked { target, .. } => format!("{target:?}"),
            other => panic!("{other:?}"),
        }));
    }
    told
}

pub async fn replicas_that_start_together_find_the_same(home: Arc<dyn Home>) {
    let opened = join_all((0..4).map(|_| home.open())).await;
    let cursors = join_all(opened.iter().map(|ledger| ledger.changes(None))).await;
    let cursors: BTreeSet<_> = cursors.into_iter().map(|feed| feed.unwrap().cursor).collect();
    assert_eq!(cursors.len(), 1, "one ledger, made once");
}

pub async fn whoever_wipes_finds_every_lease_that_was_written(home: Arc<dyn Home>) {
    let ledgers = two(&*home).await;
    ledgers[0].add_key(&key("k1")).await.unwrap();
    for round in 0..20_u64 {
        let sealed = lease("", &format!("s{round}"), NOW);
        let all_of_it = LeaseFilter {
            session: Some(sealed.session.clone()),
            limit: 100,
            ..LeaseFilter::default()
        };
        let stored = row(sealed.actor.as_str(), sealed.handle.as_str(), round + 1, "k1");
        assert_eq!(ledgers[0].put(&stored).await, Ok(true));
        let writing = (0..40).map(|n| {
            let ledger = Arc::clone(&ledgers[n % 2]);
            let lease = LeaseRow { lease_id: format!("{round}-{n}"), ..sealed.clone() };
            let made_from = [origin_of(&stored)];
            tokio::spawn(async move {
                let new = NewLease { made_from: &made_from, ..NewLease::of(&lease) };
                (ledger.record(&new).await.unwrap(), lease.lease_id)
            })
        });
        let writing: Vec<_> = writing.collect();
        // In the midst of them.
        while ledgers[1].leases(&all_of_it).await.unwrap().is_empty() {}
        assert_eq!(ledgers[1].wipe(&sealed.actor).await, Ok(1));
        let found = ledgers[1].leases(&all_of_it).await.unwrap();
        let found: BTreeSet<_> = found.into_iter().map(|lease| lease.lease_id).collect();
        let written = join_all(writing).await.into_iter().map(Result::unwrap);
        let written: BTreeSet<_> = written
            .filter(|(recorded, _)| *recorded == Recorded::Written)
            .map(|(_, id)| id)
            .collect();
        assert_eq!(found, written);
    }
}

/// On either replica: what is recorded was recorded before the old value was replaced or deleted.
pub async fn of_a_value_no_lease_is_written_after_whoever_replaced_it_has_returned(
    home: Arc<dyn Home>,
) {
    let ledgers = two(&*home).await;
    ledgers[0].add_key(&key("k1")).await.unwrap();
    for round in 0..20_u64 {
        let of = lease("", &format!("s{round}"), NOW);
        let all_of_it =
            LeaseFilter { session: Some(of.session.clone()), limit: 100, ..LeaseFilter::default() };
        let (name, under) = (of.actor.as_str(), of.handle.as_str());
        let old = row(name, under, 2 * round + 1, "k1");
        assert_eq!(ledgers[0].put(&old).await, Ok(true));
        let writing = (0..40).map(|n| {
            let ledger = Arc::clone(&ledgers[n % 2]);
            let lease = LeaseRow { lease_id: format!("{round}-{n}"), ..of.clone() };
            let made_from = [origin_of(&old)];
            tokio::spawn(async move {
                let new = NewLease { made_from: &made_from, ..NewLease::of(&lease) };
                (ledger.record(&new).await.unwrap(), lease.lease_id)
            })
        });
        let writing: Vec<_> = writing.collect();
        // In the midst of them.
        while ledgers[1].leases(&all_of_it).await.unwrap().is_empty() {}
        match round % 2 {
            0 => assert_eq!(ledgers[1].put(&row(name, under, 2 * round + 2, "k1")).await, Ok(true)),
            _ => assert_eq!(ledgers[1].delete(&of.actor, &of.handle).await, Ok(true)),
        }
        let found = ledgers[1].leases(&all_of_it).await.unwrap();
        let found: BTreeSet<_> = found.into_iter().map(|lease| lease.lease_id).collect();
        let written = join_all(writing).await.into_iter().map(Result::unwrap);
        let written: BTreeSet<_> =
            written.filter(|(is, _)| *is == Recorded::Written).map(|(_, id)| id).collect();
        assert_eq!(found, written);
    }
}

/// On either replica: what is recorded was recorded before the revocation, and is listed after it.
pub async fn whoever_revokes_finds_every_lease_that_was_written(home: Arc<dyn Home>) {
    let ledgers = two(&*home).await;
    for round in 0..20_u64 {
        let of = lease("", &format!("s{round}"), NOW);
        let target = match round % 4 {
            0 => Some(session(&of.session)),
            1 => Some(Target::Handle(of.handle.clone())),
            2 => Some(Target::Actor(of.actor.clone())),
            _ => None,
        };
        let all_of_it =
            LeaseFilter { session: Some(of.session.clone()), limit: 100, ..LeaseFilter::default() };
        let writing = (0..40).map(|n| {
            let ledger = Arc::clone(&ledgers[n % 2]);
            let lease = LeaseRow { lease_id: format!("{round}-{n}"), ..of.clone() };
            tokio::spawn(async move {
                (ledger.record(&NewLease::of(&lease)).await.unwrap(), lease.lease_id)
            })
        });
        let writing: Vec<_> = writing.collect();
        // In the midst of them.
        while ledgers[1].leases(&all_of_it).await.unwrap().is_empty() {}
        match &target {
            Some(target) => ledgers[1].revoke(&revocation(target.clone(), None)).await.unwrap(),
            None => ledgers[1].set_kill_switch(true).await.unwrap(),
        }
        let found = ledgers[1].leases(&all_of_it).await.unwrap();
        let found: BTreeSet<_> = found.into_iter().map(|lease| lease.lease_id).collect();
        let written = join_all(writing).await.into_iter().map(Result::unwrap);
        let written: BTreeSet<_> =
            written.filter(|(is, _)| *is == Recorded::Written).map(|(_, id)| id).collect();
        assert_eq!(found, written, "{target:?}");
        match target {
            Some(target) => assert!(ledgers[0].restore(&target, NOW).await.unwrap()),
            None => ledgers[0].set_kill_switch(false).await.unwrap(),
        }
    }
}
