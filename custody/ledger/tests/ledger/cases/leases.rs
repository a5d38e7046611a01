use crate::sample::{
    NOW, access_state, actor, handle, key, lease, origin_of, reservation, revocation, row, session,
};
use crate::store::Home;
use custody_ledger::{
    Blocker, Closed, FORGOTTEN_AT_ONCE, LeaseFilter, LeaseRow, Ledger, NewLease, Opened, Recorded,
    Row, Settled, Target,
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
        ledger.record(&NewLease::of(row)).await.unwrap();
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
    let last_seen = async |of: &str| access_state(&*ledger, of, "h", "a").await.last_seen;
    assert_eq!(last_seen("s1").await, None);
    ledger.record(&NewLease::of(&lease("l1", "s1", NOW))).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW));
    ledger.record(&NewLease::of(&lease("l2", "s1", NOW - 5))).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW), "a late record does not turn time back");
    // PostgreSQL has no text with a NUL.
    let sessions = ["s1".to_owned(), "unknown".to_owned(), "n\0".to_owned()];
    ledger.mark_seen(&sessions, NOW + 60, NOW - 1).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW + 60));
    ledger.mark_seen(&sessions, NOW + 30, NOW - 1).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW + 60), "nor does a late report");
    ledger.mark_seen(&sessions, NOW + 960, NOW + 60).await.unwrap();
    assert_eq!(last_seen("s1").await, Some(NOW + 60), "it slept");
    assert_eq!(ledger.restore(&session("s1"), NOW + 999).await, Ok(false), "it is not revoked");
    assert_eq!(last_seen("s1").await, Some(NOW + 60));
    ledger.revoke(&revocation(session("s1"), None)).await.unwrap();
    assert_eq!(ledger.restore(&session("s1"), NOW + 999).await, Ok(true));
    assert_eq!(last_seen("s1").await, Some(NOW + 999), "restoring is use");
    assert_eq!(last_seen("unknown").await, None);
}

/// As a lease is recorded whose value is, or was made from, what is stored here.
async fn record_of(ledger: &dyn Ledger, lease: &LeaseRow, stored: &[&Row]) -> Recorded {
    let made_from: Vec<_> = stored.iter().map(|row| origin_of(row)).collect();
    let new = NewLease { made_from: &made_from, ..NewLease::of(lease) };
    ledger.record(&new).await.unwrap()
}

pub async fn of_what_was_replaced_deleted_or_wiped_no_lease_is_written(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    ledger.add_key(&key("k1")).await.unwrap();
    let of = lease("l1", "s1", NOW);
    let put = async |of: &str, version| {
        let row = row(of, "github-ci", version, "k1");
        assert_eq!(replica.put(&row).await, Ok(true));
        row
    };
    let (first, shared) = (put("default", 1).await, put("shared", 2).await);
    assert_eq!(record_of(&*ledger, &of, &[&first, &shared]).await, Recorded::Written);
    assert_eq!(record_of(&*ledger, &of, &[&first]).await, Recorded::Written, "once more");
    let second = put("default", 3).await;
    assert_eq!(record_of(&*ledger, &of, &[&first]).await, Recorded::Stale, "it is replaced");
    assert_eq!(record_of(&*ledger, &of, &[&shared, &first]).await, Recorded::Stale);
    let sealed_anew = Row { version: 4, ..second.clone() };
    assert_eq!(replica.rewrap(&second, &sealed_anew).await, Ok(true));
    assert_eq!(record_of(&*ledger, &of, &[&second, &shared]).await, Recorded::Written);
    assert_eq!(replica.delete(&shared.actor, &shared.handle).await, Ok(true));
    assert_eq!(record_of(&*ledger, &of, &[&second, &shared]).await, Recorded::Stale, "deleted");
    let at = access_state(&*ledger, "s1", "github-ci", "default").await.sequence;
    assert_eq!(replica.wipe(&of.actor).await, Ok(1));
    assert_eq!(record_of(&*ledger, &of, &[&second]).await, Recorded::Stale, "wiped");
    let old = NewLease { as_of: at, ..NewLease::of(&of) };
    assert_eq!(ledger.record(&old).await, Ok(Recorded::Stale), "it was admitted before");
    let elsewhere = LeaseRow { actor: actor("other"), lease_id: "l2".into(), ..of.clone() };
    let old = NewLease { as_of: at, ..NewLease::of(&elsewhere) };
    assert_eq!(ledger.record(&old).await, Ok(Recorded::Written));
    assert_eq!(record_of(&*ledger, &of, &[]).await, Recorded::Written, "the actor goes on");
}

/// A token may be as old as its admission.
pub async fn of_what_was_revoked_meanwhile_and_restored_no_lease_is_written(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    let of = lease("l1", "s1", NOW);
    for target in [Target::Handle(of.handle.clone()), Target::Actor(of.actor.clone())] {
        let at = access_state(&*ledger, "s1", "github-ci", "default").await.sequence;
        let new = NewLease { as_of: at, ..NewLease::of(&of) };
        replica.revoke(&revocation(session("other"), None)).await.unwrap();
        replica.revoke(&revocation(Target::Handle(handle("other")), None)).await.unwrap();
        assert_eq!(ledger.record(&new).await, Ok(Recorded::Written), "of others");
        replica.revoke(&revocation(target.clone(), None)).await.unwrap();
        assert_eq!(replica.restore(&target, NOW).await, Ok(true));
        assert_eq!(ledger.record(&new).await, Ok(Recorded::Stale));
    }
    // What was changed since its admission is forgotten.
    let at = access_state(&*ledger, "s1", "github-ci", "default").await.sequence;
    let ends = revocation(session("ends"), Some(NOW + 1));
    ledger.revoke(&ends).await.unwrap();
    ledger.revoke(&revocation(session("last"), None)).await.unwrap();
    assert!(ledger.forget_revocations(NOW + 1).await.unwrap() > 0);
    let new = NewLease { as_of: at, ..NewLease::of(&of) };
    assert_eq!(ledger.record(&new).await, Ok(Recorded::Stale), "nobody knows");
}

pub async fn a_lease_and_its_release_are_one(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    let (of, key) = (lease("lease-1-a", "s1", NOW), [1; 32]);
    ledger.open(&reservation(1, "a", NOW)).await.unwrap();
    let new = NewLease { hold: Some((&key, "a")), ..NewLease::of(&of) };
    let lost = NewLease { hold: Some((&key, "b")), ..new };
    let filter = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    assert_eq!(ledger.record(&lost).await, Ok(Recorded::Lost));
    replica.revoke(&revocation(session("s1"), None)).await.unwrap();
    assert_eq!(ledger.record(&new).await, Ok(Recorded::Blocked(Blocker::Session)));
    assert!(replica.leases(&filter).await.unwrap().is_empty());
    let settle = || ledger.settle("lease-1-a", Closed::Delivered, None, NOW);
    assert_eq!(settle().await, Ok(Settled::Unknown), "it is not released either");
    assert_eq!(replica.restore(&session("s1"), NOW).await, Ok(true));
    assert_eq!(ledger.record(&new).await, Ok(Recorded::Written));
    assert_eq!(ledger.record(&new).await, Ok(Recorded::Lost), "once");
    assert_eq!(settle().await, Ok(Settled::Now));
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
        assert_eq!(replica.record(&NewLease::of(&of)).await, Ok(Recorded::Blocked(blocker)));
        assert_eq!(ledger.restore(&target, NOW).await, Ok(true));
    }
    ledger.set_kill_switch(true).await.unwrap();
    assert_eq!(
        replica.record(&NewLease::of(&of)).await,
        Ok(Recorded::Blocked(Blocker::KillSwitch))
    );
    ledger.set_kill_switch(false).await.unwrap();
    let filter = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    assert!(replica.leases(&filter).await.unwrap().is_empty());
    assert_eq!(access_state(&*ledger, "s1", "h", "a").await.last_seen, None, "it is no use of it");
    assert_eq!(replica.record(&NewLease::of(&of)).await, Ok(Recorded::Written));
}

pub async fn much_is_forgotten_in_parts(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let many = u64::from(FORGOTTEN_AT_ONCE) + 1;
    for number in 0..=many {
        ledger.record(&NewLease::of(&lease(&format!("l{number}"), "s", NOW))).await.unwrap();
    }
    ledger.record(&NewLease::of(&lease("new", "s", NOW + 10))).await.unwrap();
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
    let rows = [lease("old", "s1", NOW), lease("new", "s2", NOW + 10)];
    for ((key, keep_until), row) in [(1, NOW + 600), (2, NOW + 601)].into_iter().zip(&rows) {
        let mut reservation = reservation(key, "a", NOW);
        reservation.keep_until = keep_until;
        ledger.open(&reservation).await.unwrap();
        let key = [key; 32];
        let released = NewLease { hold: Some((&key, "a")), ..NewLease::of(row) };
        assert_eq!(ledger.record(&released).await, Ok(Recorded::Written));
    }
    ledger.settle("lease-1-a", Closed::Delivered, None, NOW).await.unwrap();
    assert_eq!(ledger.forget(NOW).await, Ok(0));
    let forgotten = ledger.forget(NOW + 601).await.unwrap();
    assert_eq!(forgotten, 4, "a lease, two sessions, a reservation");
    let filter = LeaseFilter { limit: 10, ..LeaseFilter::default() };
    let left = ledger.leases(&filter).await.unwrap();
    assert_eq!(left, [lease("new", "s2", NOW + 10)]);
    assert_eq!(access_state(&*ledger, "s1", "h", "a").await.last_seen, None);
    let again = ledger.open(&reservation(2, "b", NOW + 601)).await.unwrap();
    assert_eq!(again, Opened::Replayed, "not before its time");
    let unknown = ledger.settle("lease-1-a", Closed::Failed, None, NOW).await;
    assert_eq!(unknown, Ok(Settled::Unknown));
}
