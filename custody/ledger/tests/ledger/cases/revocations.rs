use crate::sample::{NOW, access_state, actor, handle, revocation, session};
use crate::store::Home;
use custody_ledger::{AccessState, Change, Ledger, Revocation, Target};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than any test waits for what shall happen.
const LONG: Duration = Duration::from_secs(60);

fn told(target: Target, until: Option<u64>) -> Change {
    Change::Revoked { target, until }
}

pub async fn each_kind_stands_against_its_own(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    let clear = AccessState::default();
    let of = async |ledger: &dyn Ledger, name: &str| AccessState {
        sequence: 0,
        ..access_state(ledger, name, name, name).await
    };
    assert_eq!(of(&*replica, "x").await, clear);
    let mut sequence = access_state(&*replica, "x", "x", "x").await.sequence;
    for (target, session_revoked, handle_revoked, actor_revoked) in [
        (session("x"), true, false, false),
        (Target::Handle(handle("x")), false, true, false),
        (Target::Actor(actor("x")), false, false, true),
        (Target::Lease("x".into()), false, false, false),
    ] {
        ledger.revoke(&revocation(target.clone(), None)).await.unwrap();
        let expected =
            AccessState { session_revoked, handle_revoked, actor_revoked, ..clear.clone() };
        assert_eq!(of(&*replica, "x").await, expected, "{target:?}");
        assert_eq!(of(&*replica, "y").await, clear, "{target:?}");
        assert_eq!(replica.restore(&target, NOW).await, Ok(true));
        assert_eq!(of(&*ledger, "x").await, clear, "{target:?}");
        sequence += 2;
        assert_eq!(access_state(&*ledger, "y", "y", "y").await.sequence, sequence);
        assert_eq!(ledger.restore(&target, NOW).await, Ok(false));
    }
    assert!(ledger.revoked().await.unwrap().is_empty());
}

pub async fn the_later_end_counts(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let of = |until, by: &str| Revocation { by: by.into(), ..revocation(session("s"), until) };
    ledger.revoke(&revocation(session("first"), None)).await.unwrap();
    let first = revocation(session("first"), None);
    for (order, stays) in [
        (of(Some(NOW + 5), "a"), of(Some(NOW + 5), "a")),
        (of(Some(NOW + 4), "b"), of(Some(NOW + 5), "a")),
        (of(Some(NOW + 6), "c"), of(Some(NOW + 6), "c")),
        (of(None, "d"), of(None, "d")),
        (of(Some(NOW + 9), "e"), of(None, "d")),
        (of(None, "f"), of(None, "d")),
    ] {
        ledger.revoke(&order).await.unwrap();
        assert_eq!(ledger.revoked().await.unwrap(), [stays, first.clone()], "newest first");
    }
    let feed = ledger.changes(None).await.unwrap();
    assert_eq!(feed.changes, [told(session("first"), None), told(session("s"), None)]);
}

pub async fn the_kill_switch_stays(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    assert_eq!(ledger.kill_switch().await, Ok(false));
    ledger.set_kill_switch(true).await.unwrap();
    drop(ledger);
    let ledger = home.open().await;
    assert_eq!(ledger.kill_switch().await, Ok(true), "after a restart too");
    assert!(access_state(&*ledger, "s", "h", "a").await.kill_switch);
    let feed = ledger.changes(None).await.unwrap();
    assert!(feed.kill_switch && feed.changes.is_empty(), "{feed:?}");
    ledger.set_kill_switch(true).await.unwrap();
    let same = ledger.changes(Some(&feed.cursor)).await.unwrap();
    assert_eq!((same.cursor.as_str(), same.full), (feed.cursor.as_str(), false));
    assert!(same.changes.is_empty(), "nothing changed");
    ledger.set_kill_switch(false).await.unwrap();
    let off = ledger.changes(Some(&feed.cursor)).await.unwrap();
    assert_eq!(off.changes, [Change::KillSwitch { on: false }]);
    assert!(!off.kill_switch && !access_state(&*ledger, "s", "h", "a").await.kill_switch);
}

pub async fn a_reader_follows(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    let begin = ledger.changes(None).await.unwrap();
    assert!(begin.full && begin.changes.is_empty() && lease::is_cursor(&begin.cursor));
    ledger.revoke(&revocation(session("s"), Some(NOW + 60))).await.unwrap();
    ledger.revoke(&revocation(Target::Handle(handle("h")), None)).await.unwrap();
    ledger.restore(&session("s"), NOW).await.unwrap();
    let feed = replica.changes(Some(&begin.cursor)).await.unwrap();
    assert!(!feed.full);
    let handle = told(Target::Handle(handle("h")), None);
    let restored = Change::Restored { target: session("s") };
    assert_eq!(feed.changes, [told(session("s"), Some(NOW + 60)), handle.clone(), restored]);
    let nothing = ledger.changes(Some(&feed.cursor)).await.unwrap();
    assert_eq!((nothing.full, nothing.changes, &nothing.cursor), (false, vec![], &feed.cursor));
    let all = ledger.changes(None).await.unwrap();
    assert_eq!((all.full, all.changes, &all.cursor), (true, vec![handle], &feed.cursor));
}

pub async fn a_cursor_that_is_not_known_gets_everything(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.revoke(&revocation(session("s"), None)).await.unwrap();
    let feed = ledger.changes(None).await.unwrap();
    let (number, tag) = feed.cursor.split_once('-').unwrap();
    let next: u64 = number.parse::<u64>().unwrap() + 1;
    let other_tag = format!("{number}-{}", "0".repeat(tag.len()));
    for cursor in
        ["", "x", "0", number, &format!("{next}-{tag}"), &other_tag, "99999999999999999999"]
    {
        let all = ledger.changes(Some(cursor)).await.unwrap();
        assert_eq!(all, feed, "{cursor:?}");
        ledger.wait(cursor, LONG).await.unwrap();
    }
}

pub async fn forgetting_leaves_no_reader_behind(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let at_begin = ledger.changes(None).await.unwrap().cursor;
    ledger.revoke(&revocation(session("kept"), None)).await.unwrap();
    ledger.revoke(&revocation(session("old"), Some(NOW + 10))).await.unwrap();
    let at_old = ledger.changes(None).await.unwrap().cursor;
    ledger.revoke(&revocation(session("new"), Some(NOW + 20))).await.unwrap();
    let at_new = ledger.changes(None).await.unwrap().cursor;
    assert_eq!(ledger.forget_revocations(NOW + 9).await, Ok(0));
    assert!(access_state(&*ledger, "old", "h", "a").await.session_revoked);
    assert!(ledger.forget_revocations(NOW + 10).await.unwrap() > 0);
    assert!(!access_state(&*ledger, "old", "h", "a").await.session_revoked);
    let state = [told(session("kept"), None), told(session("new"), Some(NOW + 20))];
    for cursor in [&at_begin, &at_old] {
        let feed = ledger.changes(Some(cursor)).await.unwrap();
        assert!(feed.full, "{cursor}: what it stood on is gone");
        assert_eq!(feed.changes, state);
    }
    let feed = ledger.changes(Some(&at_new)).await.unwrap();
    assert_eq!((feed.full, feed.changes.len()), (false, 0));
    // The newest change stays, also when what it told is forgotten.
    ledger.forget_revocations(NOW + 20).await.unwrap();
    let feed = ledger.changes(Some(&at_new)).await.unwrap();
    assert_eq!((feed.full, feed.changes.len(), &feed.cursor), (false, 0, &at_new));
    ledger.restore(&session("kept"), NOW).await.unwrap();
    let feed = ledger.changes(Some(&at_new)).await.unwrap();
    assert_eq!(feed.changes, [Change::Restored { target: session("kept") }]);
}

/// How long it takes until a reader on `reading` hears of a change on `writing`.
async fn woken(reading: &Arc<dyn Ledger>, writing: &dyn Ledger, name: &str) -> Duration {
    let cursor = reading.changes(None).await.unwrap().cursor;
    let reader = Arc::clone(reading);
    let (waits, waiting) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        waits.send(()).unwrap();
        reader.wait(&cursor, LONG).await.unwrap();
        let end = Instant::now();
        let feed = reader.changes(Some(&cursor)).await.unwrap();
        assert_eq!(feed.changes.len(), 1);
        end
    });
    waiting.await.unwrap();
    writing.revoke(&revocation(session(name), None)).await.unwrap();
    let begin = Instant::now();
    task.await.unwrap().saturating_duration_since(begin)
}

pub async fn waiting_ends_with_a_change(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    for round in 0..5 {
        let same = woken(&ledger, &*ledger, &format!("same-{round}")).await;
        let other = woken(&replica, &*ledger, &format!("other-{round}")).await;
        assert!(same < LONG / 2 && other < LONG / 2, "{same:?} {other:?}");
    }
}

pub async fn waiting_ends_with_the_time(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let cursor = ledger.changes(None).await.unwrap().cursor;
    let begin = Instant::now();
    ledger.wait(&cursor, Duration::ZERO).await.unwrap();
    ledger.wait(&cursor, Duration::from_millis(300)).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(300));
    let feed = ledger.changes(Some(&cursor)).await.unwrap();
    assert_eq!(feed.cursor, cursor);
}
