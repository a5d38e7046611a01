//! What random orders of calls do, beside a model of a few lines.

use crate::sample::{NOW, release, reservation, revocation, session};
use crate::store::Home;
use custody_ledger::{Attempt, Change, Closed, Feed, Ledger, Opened, Settled, Target};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rounds of a case; every call of a round waits for a commit.
const ROUNDS: u8 = 20;

/// `count` random orders; each test run has others.
fn orders<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> Vec<Vec<T>> {
    let mut runner = TestRunner::default();
    let strategy = proptest::collection::vec(of, 1..30);
    (0..ROUNDS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Open(u8),
    Attempt(u8),
    Release(u8),
    GiveUp(u8),
    Settle,
    /// Seconds pass.
    Pass(u64),
}

/// What a reservation is, in the fewest words.
#[derive(Default)]
struct Model {
    holder: Option<u8>,
    held_until: u64,
    attempts: u32,
    released: bool,
    settled: bool,
}

impl Model {
    /// Whether the caller holds it now; time does not matter until somebody else takes it.
    fn is_held_by(&self, holder: u8) -> bool {
        self.holder == Some(holder) && !self.released
    }

    fn open(&mut self, holder: u8, now: u64) -> bool {
        let taken = self.holder.is_some() && self.held_until > now;
        let may = !self.released && !taken && self.attempts < 3;
        if may {
            (self.holder, self.held_until) = (Some(holder), now + 10);
        }
        may
    }

    fn attempt(&mut self, holder: u8) -> Attempt {
        match (self.is_held_by(holder), self.attempts) {
            (false, _) => Attempt::Lost,
            (true, 3) => Attempt::Exhausted,
            (true, _) => {
                self.attempts += 1;
                Attempt::Counted(self.attempts)
            }
        }
    }

    fn release(&mut self, holder: u8) -> bool {
        let may = self.is_held_by(holder);
        self.released |= may;
        may
    }

    fn give_up(&mut self, holder: u8) {
        if self.is_held_by(holder) {
            self.holder = None;
        }
    }

    fn settle(&mut self) -> Settled {
        match (self.released, std::mem::replace(&mut self.settled, self.released)) {
            (false, _) => Settled::Unknown,
            (true, false) => Settled::Now,
            (true, true) => Settled::Before,
        }
    }
}

pub async fn a_reservation_is_its_model(home: Arc<dyn Home>) {
    let ledger = home.open().await;
    let holder = 0..3_u8;
    let step = prop_oneof![
        3 => holder.clone().prop_map(Step::Open),
        4 => holder.clone().prop_map(Step::Attempt),
        1 => holder.clone().prop_map(Step::Release),
        2 => holder.prop_map(Step::GiveUp),
        1 => Just(Step::Settle),
        2 => (1..15_u64).prop_map(Step::Pass),
    ];
    for (key, steps) in (0..).zip(orders(step)) {
        follow(&*ledger, key, &steps).await;
    }
}

async fn follow(ledger: &dyn Ledger, key: u8, steps: &[Step]) {
    let (mut model, mut now, mut first) = (Model::default(), NOW, None);
    let name = |holder: u8| format!("holder-{holder}");
    for (at, step) in steps.iter().enumerate() {
        let told = &steps[..=at];
        match *step {
            Step::Open(holder) => {
                let attempts = model.attempts;
                let opened = ledger.open(&reservation(key, &name(holder), now)).await.unwrap();
                let expected = if model.open(holder, now) {
                    let lease_id = first
                        .get_or_insert_with(|| format!("lease-{key}-{}", name(holder)))
                        .clone();
                    Opened::Held { lease_id, attempts }
                } else {
                    Opened::Replayed
                };
                assert_eq!(opened, expected, "{told:?}");
            }
            Step::Attempt(holder) => {
                let attempt = ledger.attempt(&[key; 32], &name(holder)).await.unwrap();
                assert_eq!(attempt, model.attempt(holder), "{told:?}");
            }
            Step::Release(holder) => {
                let released = release(ledger, &[key; 32], &name(holder)).await.unwrap();
                assert_eq!(released, model.release(holder), "{told:?}");
            }
            Step::GiveUp(holder) => {
                ledger.give_up(&[key; 32], &name(holder)).await.unwrap();
                model.give_up(holder);
            }
            Step::Settle => {
                let Some(lease_id) = &first else { continue };
                let settled = ledger.settle(lease_id, Closed::Delivered, None, now).await.unwrap();
                assert_eq!(settled, model.settle(), "{told:?}");
            }
            Step::Pass(seconds) => now += seconds,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Revoke(u8, Option<u64>),
    Restore(u8),
    Kill(bool),
    Forget(u64),
    /// This reader asks for what is new.
    Read(usize),
}

/// What a reader believes: all it does is to follow.
#[derive(Default)]
pub struct Reader {
    cursor: Option<String>,
    revoked: BTreeMap<Target, Option<u64>>,
    kill_switch: bool,
}

impl Reader {
    pub async fn read(&mut self, ledger: &dyn Ledger) {
        let Feed { cursor, full, kill_switch, changes } =
            ledger.changes(self.cursor.as_deref()).await.unwrap();
        if full {
            self.revoked.clear();
        }
        for change in changes {
            match change {
                Change::Revoked { target, until } => drop(self.revoked.insert(target, until)),
                Change::Restored { target } => drop(self.revoked.remove(&target)),
                Change::KillSwitch { on } => self.kill_switch = on,
                Change::TornDown { .. } => panic!("nobody ordered it"),
            }
        }
        assert!(full || self.kill_switch == kill_switch, "told twice, and differently");
        (self.cursor, self.kill_switch) = (Some(cursor), kill_switch);
    }

    /// What has not ended by then.
    pub fn state(&self, now: u64) -> (bool, BTreeMap<&Target, Option<u64>>) {
        let lives = |until: &Option<u64>| until.is_none_or(|until| until > now);
        let revoked = self.revoked.iter().filter(|(_, until)| lives(until));
        (self.kill_switch, revoked.map(|(target, until)| (target, *until)).collect())
    }
}

pub async fn readers_end_where_a_snapshot_is(home: Arc<dyn Home>) {
    let ledgers = [home.open().await, home.open().await];
    let name = 0..4_u8;
    let until = proptest::option::of(0..60_u64);
    let order = prop_oneof![
        5 => (name.clone(), until).prop_map(|(name, until)| Order::Revoke(name, until)),
        3 => name.prop_map(Order::Restore),
        1 => any::<bool>().prop_map(Order::Kill),
        1 => (0..60_u64).prop_map(Order::Forget),
        4 => (0..3_usize).prop_map(Order::Read),
    ];
    let mut readers: [Reader; 3] = Default::default();
    let mut now = NOW;
    for orders in orders(order) {
        for (at, order) in orders.iter().enumerate() {
            let ledger = &*ledgers[at % 2];
            let target = |name: u8| session(&format!("s-{name}"));
            match *order {
                Order::Revoke(name, until) => {
                    let until = until.map(|until| now + until);
                    ledger.revoke(&revocation(target(name), until)).await.unwrap();
                }
                Order::Restore(name) => drop(ledger.restore(&target(name), NOW).await.unwrap()),
                Order::Kill(on) => ledger.set_kill_switch(on).await.unwrap(),
                Order::Forget(after) => {
                    now += after;
                    ledger.forget_revocations(now).await.unwrap();
                }
                Order::Read(reader) => readers[reader].read(ledger).await,
            }
        }
        let mut snapshot = Reader::default();
        snapshot.read(&*ledgers[0]).await;
        for reader in &mut readers {
            reader.read(&*ledgers[1]).await;
            assert_eq!(reader.state(now), snapshot.state(now), "{orders:?}");
            assert_eq!(reader.cursor, snapshot.cursor);
        }
    }
}
