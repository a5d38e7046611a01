use crate::sample::{
    NOW, actor, handle, key, lease, reservation, revocation, row, session, standing,
};
use crate::store::Home;
use custody::ledger::{
    Blocker, Closed, FORGOTTEN_AT_ONCE, LeaseFilter, LeaseRow, Opened, Recorded, Settled, Target,
};
use lease::Binding;
use std::sync::Arc;

pub async fn a_lease_is_found_by_each_of_its_fields(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let mut rows = [lease("l1", "s1", NOW), lease("l2", "s2", NOW + 1), lease("l3", "s2", NOW + 2)];
    rows[1].handle = handle("llm");
    rows[2].actor = actor("team");
    rows[2].binding = Binding::SingleUse;
    rows[2].revocation = Some("auth/token/x".into());
    // A reservation that was opened again leads to the same lease, of another source maybe.
    let before = LeaseRow {
        backend: "primary".into(),
        revocation: Some("database/creds/app/x".into()),
        expires_at: NOW + 1,
        ..rows[0].clone()
    };
    for row in std::iter::once(&before).chain(&rows) {
        ledger.record(row).await.unwrap();
    }
    let all = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    let by_session = LeaseFilter { session: Some("s2".into()), ..all.clone() };
    let by_both = LeaseFilter { handle: Some(handle("llm")), ..by_session.clone() };
    for (filter, expected) in [
        (all.clone(), &["l3", "l2", "l1"][..]),
        (LeaseFilter { limit: 2, ..all.clone() }, &["l3", "l2"]),
        (LeaseFilter::default(), &[]),
        (by_session, &["l3", "l2"]),
        (by_both, &["l2"]),
        (LeaseFilter { lease_id: Some("l1".into()), ..all.clone() }, &["l1"]),
        (LeaseFilter { lease_id: Some("l9".into()), ..all.clone() }, &[]),
        (LeaseFilter { actor: Some(actor("team")), ..all.clone() }, &["l3"]),
        (LeaseFilter { live_at: Some(NOW + 599), ..all.clone() }, &["l3", "l2", "l1"]),
        (LeaseFilter { live_at: Some(NOW + 600), ..all.clone() }, &["l3", "l2"]),
        (LeaseFilter { live_at: Some(NOW + 602), ..all.clone() }, &[]),
    ] {
        let found = ledger.leases(&filter).await.unwrap();
        let ids: Vec<_> = found.iter().map(|row| row.lease_id.as_str()).collect();
        assert_eq!(ids, expected, "{filter:?}");
        assert!(found.iter().all(|found| rows.contains(found)), "{found:?}");
    }
}

pub async fn a_session_is_seen_until_it_sleeps(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let last_seen = async |of: &str| standing(&*ledger, of, "h", "a").await.last_seen;
    assert_eq!(last_seen("s1").await, None);
    ledger.record(&lease("l1", "s1", NOW)).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW));
    ledger.record(&lease("l2", "s1", NOW - 5)).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW), "a late record does not turn time back");
    // PostgreSQL has no text with a NUL.
    let sessions = ["s1".to_owned(), "unknown".to_owned(), "n\0".to_owned()];
    ledger.seen(&sessions, NOW + 60, NOW - 1).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW + 60));
    ledger.seen(&sessions, NOW + 30, NOW - 1).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW + 60), "nor does a late report");
    ledger.seen(&sessions, NOW + 960, NOW + 60).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW + 60), "it slept");
    assert_eq!(ledger.restore(&session("s1"), NOW + 999).await, Ok(false), "it is not revoked");
    assert_eq!(last_seen("s1").await, Some(NOW + 60));
    ledger.revoke(&revocation(session("s1"), None)).await.unwrap();
    assert_eq!(ledger.restore(&session("s1"), NOW + 999).await, Ok(true));
    assert_eq!(last_seen("s1").await, Some(NOW + 999), "restoring is use");
    assert_eq!(last_seen("unknown").await, None);
}

pub async fn of_what_was_wiped_no_lease_is_written(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    ledger.add_key(&key("k1")).await.unwrap();
    let stored = LeaseRow { backend: "sealed".into(), ..lease("l1", "s1", NOW) };
    assert_eq!(ledger.record(&stored).await, Ok(Recorded::Absent));
    assert_eq!(standing(&*ledger, "s1", "h", "a").await.last_seen, None);
    for (version, of) in [(1, stored.actor.as_str()), (2, "other")] {
        ledger.put(&row(of, stored.handle.as_str(), version, "k1")).await.unwrap();
    }
    assert_eq!(ledger.record(&stored).await, Ok(Recorded::Written));
    assert_eq!(
        ledger.record(&stored).await,
        Ok(Recorded::Written),
        "once more for the same operation"
    );
    assert_eq!(replica.wipe(&stored.actor).await, Ok(1));
    let again = LeaseRow { lease_id: "l2".into(), ..stored.clone() };
    assert_eq!(ledger.record(&again).await, Ok(Recorded::Absent));
    let elsewhere = LeaseRow { lease_id: "l3".into(), backend: "bao".into(), ..stored.clone() };
    assert_eq!(ledger.record(&elsewhere).await, Ok(Recorded::Written));
    let filter = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    assert_eq!(replica.leases(&filter).await.unwrap(), [elsewhere, stored]);
}

pub async fn of_what_is_revoked_no_lease_is_written(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    let of = lease("l1", "s1", NOW);
    for (target, blocker) in [
        (session("s1"), Blocker::Session),
        (Target::Handle(of.handle.clone()), Blocker::Handle),
        (Target::Actor(of.actor.clone()), Blocker::Actor),
        (Target::Lease("l1".into()), Blocker::Lease),
    ] {
        ledger.revoke(&revocation(target.clone(), None)).await.unwrap();
        assert_eq!(replica.record(&of).await, Ok(Recorded::Blocked(blocker)));
        assert_eq!(ledger.restore(&target, NOW).await, Ok(true));
    }
    ledger.set_kill_switch(true).await.unwrap();
    assert_eq!(replica.record(&of).await, Ok(Recorded::Blocked(Blocker::KillSwitch)));
    ledger.set_kill_switch(false).await.unwrap();
    let filter = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    assert!(replica.leases(&filter).await.unwrap().is_empty());
    assert_eq!(standing(&*ledger, "s1", "h", "a").await.last_seen, None, "it is no use of it");
    assert_eq!(replica.record(&of).await, Ok(Recorded::Written));
}

pub async fn much_is_forgotten_in_parts(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let many = u64::from(FORGOTTEN_AT_ONCE) + 1;
    for number in 0..=many {
        ledger.record(&lease(&format!("l{number}"), "s", NOW)).await.unwrap();
    }
    ledger.record(&lease("new", "s", NOW + 10)).await.unwrap();
    let mut parts = Vec::new();
    for _ in 0..3 {
        parts.push(ledger.forget(NOW + 601).await.unwrap());
    }
    assert_eq!(parts, [u64::from(FORGOTTEN_AT_ONCE), 3, 0], "the session is of the second part");
    let filter = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    assert_eq!(ledger.leases(&filter).await.unwrap(), [lease("new", "s", NOW + 10)]);
}

pub async fn what_ended_is_forgotten(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    ledger.record(&lease("old", "s1", NOW)).await.unwrap();
    ledger.record(&lease("new", "s2", NOW + 10)).await.unwrap();
    for (key, keep_until) in [(1, NOW + 600), (2, NOW + 601)] {
        let mut reservation = reservation(key, "a", NOW);
        reservation.keep_until = keep_until;
        ledger.open(&reservation).await.unwrap();
        assert!(ledger.release(&[key; 32], "a").await.unwrap());
    }
    ledger.settle("lease-1-a", Closed::Delivered, None, NOW).await.unwrap();
    assert_eq!(ledger.forget(NOW).await, Ok(0));
    let forgotten = ledger.forget(NOW + 601).await.unwrap();
    assert_eq!(forgotten, 4, "a lease, two sessions, a reservation");
    let filter = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    let left = ledger.leases(&filter).await.unwrap();
    assert_eq!(left, [lease("new", "s2", NOW + 10)]);
    assert_eq!(standing(&*ledger, "s1", "h", "a").await.last_seen, None);
    let again = ledger.open(&reservation(2, "b", NOW + 601)).await.unwrap();
    assert_eq!(again, Opened::Replayed, "not before its time");
    let unknown = ledger.settle("lease-1-a", Closed::Failed, None, NOW).await;
    assert_eq!(unknown, Ok(Settled::Unknown));
}
