//! A ledger whose calls fail where the test says: before they did anything, or after.

use async_trait::async_trait;
use custody_base::actor::Actor;
use custody_ledger::{
    AccessState, Attempt, BulkOrder, BulkOrders, Claimant, Closed, Envelopes, Feed, FeedUpdate,
    KeyRow, LeaseFilter, LeasePage, LeasePlace, LeaseRow, Leases, Ledger, LedgerFault, Locks,
    NewLease, Notice, Notices, Opened, Recorded, Reservation, Reservations, Revocation,
    Revocations, Row, Settled, Target,
};
use lease::{Handle, UnixSeconds};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call is not made.
    Before,
    /// The call is made, and its answer is lost.
    After,
}

pub struct Faulty {
    pub real: Arc<dyn Ledger>,
    pub fails: Mutex<Option<(&'static str, When)>>,
    pub calls: Mutex<Vec<&'static str>>,
    held: Mutex<Option<Held>>,
}

/// A call that waits before it is made.
struct Held {
    what: &'static str,
    began: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Faulty {
    pub fn new(real: Arc<dyn Ledger>) -> Self {
        Self { real, fails: Mutex::default(), calls: Mutex::default(), held: Mutex::default() }
    }

    pub fn fail(&self, what: Option<(&'static str, When)>) {
        *self.fails.lock().unwrap() = what;
    }

    /// The next of these calls says that it began, and is made when it may go.
    pub fn hold(&self, what: &'static str) -> (Arc<Semaphore>, Arc<Semaphore>) {
        let (began, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let held = Held { what, began: Arc::clone(&began), go: Arc::clone(&go) };
        *self.held.lock().unwrap() = Some(held);
        (began, go)
    }

    /// What was called since the last time this was asked.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    async fn through<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, LedgerFault>>,
    ) -> Result<T, LedgerFault> {
        self.calls.lock().unwrap().push(name);
        let held = self.held.lock().unwrap().take_if(|held| held.what == name);
        if let Some(Held { began, go, .. }) = held {
            began.add_permits(1);
            go.acquire().await.unwrap().forget();
        }
        let fails = *self.fails.lock().unwrap();
        let fault = Err(LedgerFault::Down("as the test says".into()));
        match fails {
            Some((what, When::Before)) if what == name => fault,
            Some((what, When::After)) if what == name => call.await.and(fault),
            _ => call.await,
        }
    }
}

type Told<T> = Result<T, LedgerFault>;

#[async_trait]
impl Envelopes for Faulty {
    async fn next_version(&self) -> Told<u64> {
        self.through("next_version", self.real.next_version()).await
    }
    async fn put(&self, row: &Row) -> Told<bool> {
        self.through("put", self.real.put(row)).await
    }
    async fn get(&self, actor: &Actor, handle: &Handle) -> Told<Option<Row>> {
        self.through("get", self.real.get(actor, handle)).await
    }
    async fn list(&self) -> Told<Vec<Row>> {
        self.through("list", self.real.list()).await
    }
    async fn delete(&self, actor: &Actor, handle: &Handle) -> Told<bool> {
        self.through("delete", self.real.delete(actor, handle)).await
    }
    async fn wipe(&self, actor: &Actor) -> Told<u64> {
        self.through("wipe", self.real.wipe(actor)).await
    }
    async fn sealed_by_others(&self, key: &str, limit: u32) -> Told<Vec<Row>> {
        self.through("sealed_by_others", self.real.sealed_by_others(key, limit)).await
    }
    async fn rewrap(&self, old: &Row, new: &Row) -> Told<bool> {
        self.through("rewrap", self.real.rewrap(old, new)).await
    }
    async fn keys(&self) -> Told<Vec<KeyRow>> {
        self.through("keys", self.real.keys()).await
    }
    async fn add_key(&self, key: &KeyRow) -> Told<bool> {
        self.through("add_key", self.real.add_key(key)).await
    }
    async fn drop_key(&self, id: &str) -> Told<bool> {
        self.through("drop_key", self.real.drop_key(id)).await
    }
}

#[async_trait]
impl Leases for Faulty {
    async fn record(&self, lease: &NewLease<'_>) -> Told<Recorded> {
        self.through("record", self.real.record(lease)).await
    }
    async fn leases(&self, filter: &LeaseFilter) -> Told<Vec<LeaseRow>> {
        self.through("leases", self.real.leases(filter)).await
    }
    async fn leases_after(&self, target: &Target, after: LeasePlace) -> Told<LeasePage> {
        self.through("leases_after", self.real.leases_after(target, after)).await
    }
    async fn revoke_leases_after(
        &self,
        target: &Target,
        after: LeasePlace,
        issued_until: UnixSeconds,
        by: (UnixSeconds, &str),
    ) -> Told<LeasePage> {
        let revoked = self.real.revoke_leases_after(target, after, issued_until, by);
        self.through("revoke_leases_after", revoked).await
    }
    async fn mark_seen(
        &self,
        sessions: &[String],
        now: UnixSeconds,
        idle_since: UnixSeconds,
    ) -> Told<()> {
        self.through("mark_seen", self.real.mark_seen(sessions, now, idle_since)).await
    }
    async fn forget(&self, before: UnixSeconds) -> Told<u64> {
        self.through("forget", self.real.forget(before)).await
    }
}

#[async_trait]
impl BulkOrders for Faulty {
    async fn keep_order(&self, order: &BulkOrder, busy_until: UnixSeconds) -> Told<()> {
        self.through("keep_order", self.real.keep_order(order, busy_until)).await
    }
    async fn take_orders(&self, now: UnixSeconds, busy_until: UnixSeconds) -> Told<Vec<BulkOrder>> {
        self.through("take_orders", self.real.take_orders(now, busy_until)).await
    }
    async fn finish_order(&self, order: &BulkOrder) -> Told<()> {
        self.through("finish_order", self.real.finish_order(order)).await
    }
}

#[async_trait]
impl Locks for Faulty {
    async fn lock(
        &self,
        name: &str,
        owner: &str,
        now: UnixSeconds,
        until: UnixSeconds,
    ) -> Told<bool> {
        self.through("lock", self.real.lock(name, owner, now, until)).await
    }
    async fn holder(&self, name: &str, now: UnixSeconds) -> Told<Option<String>> {
        self.through("holder", self.real.holder(name, now)).await
    }
    async fn unlock(&self, name: &str, owner: &str) -> Told<()> {
        self.through("unlock", self.real.unlock(name, owner)).await
    }
}

#[async_trait]
impl Notices for Faulty {
    async fn post(&self, notice: &Notice) -> Told<()> {
        self.through("post", self.real.post(notice)).await
    }
    async fn take_due(&self, now: UnixSeconds, busy: UnixSeconds, limit: u32) -> Told<Vec<Notice>> {
        self.through("take_due", self.real.take_due(now, busy, limit)).await
    }
    async fn delivered(&self, id: &str) -> Told<()> {
        self.through("delivered", self.real.delivered(id)).await
    }
    async fn put_off(&self, id: &str, next_try: UnixSeconds) -> Told<()> {
        self.through("put_off", self.real.put_off(id, next_try)).await
    }
    async fn waiting(&self) -> Told<u64> {
        self.through("waiting", self.real.waiting()).await
    }
}

#[async_trait]
impl Reservations for Faulty {
    async fn open(&self, reservation: &Reservation) -> Told<Opened> {
        self.through("open", self.real.open(reservation)).await
    }
    async fn attempt(&self, key: &[u8; 32], holder: &str) -> Told<Attempt> {
        self.through("attempt", self.real.attempt(key, holder)).await
    }
    async fn give_up(&self, key: &[u8; 32], holder: &str) -> Told<()> {
        self.through("give_up", self.real.give_up(key, holder)).await
    }
    async fn settle(
        &self,
        lease_id: &str,
        outcome: Closed,
        failure_code: Option<&str>,
        now: UnixSeconds,
    ) -> Told<Settled> {
        self.through("settle", self.real.settle(lease_id, outcome, failure_code, now)).await
    }
}

#[async_trait]
impl Revocations for Faulty {
    async fn access_state(&self, claimant: Claimant<'_>) -> Told<AccessState> {
        self.through("access_state", self.real.access_state(claimant)).await
    }
    async fn revoke(&self, revocation: &Revocation) -> Told<()> {
        self.through("revoke", self.real.revoke(revocation)).await
    }
    async fn restore(&self, target: &Target, now: UnixSeconds) -> Told<bool> {
        self.through("restore", self.real.restore(target, now)).await
    }
    async fn set_kill_switch(&self, on: bool) -> Told<()> {
        self.through("set_kill_switch", self.real.set_kill_switch(on)).await
    }
    async fn kill_switch(&self) -> Told<bool> {
        self.through("kill_switch", self.real.kill_switch()).await
    }
    async fn revoked(&self) -> Told<Vec<Revocation>> {
        self.through("revoked", self.real.revoked()).await
    }
    async fn changes(&self, cursor: Option<&str>) -> Told<Feed> {
        self.through("changes", self.real.changes(cursor)).await
    }
    async fn feed_update(&self, cursor: Option<&str>) -> Told<FeedUpdate> {
        self.through("feed_update", self.real.feed_update(cursor)).await
    }
    async fn wait(&self, cursor: &str, at_most: Duration) -> Told<()> {
        self.through("wait", self.real.wait(cursor, at_most)).await
    }
    async fn forget_revocations(&self, now: UnixSeconds) -> Told<u64> {
        self.through("forget_revocations", self.real.forget_revocations(now)).await
    }
}
