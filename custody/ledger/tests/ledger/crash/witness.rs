//! Hears what the loads say, and looks whether it is so.

use super::load::{key_of, said};
use super::{ROUNDS, is_revoked, time_of};
use crate::cases::models::Reader;
use crate::sample::{reservation, session};
use custody_ledger::{Ledger, Opened, Reservation};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Default)]
pub struct Witness {
    /// Acknowledged, and nobody began to take it back.
    revoked: BTreeSet<String>,
    /// Revocations whose taking back was acknowledged.
    restored: BTreeSet<String>,
    operations: BTreeMap<String, Operation>,
    /// Operations of this round, in the order in which they were heard of.
    new: Vec<String>,
    reader: Reader,
    said: usize,
}

#[derive(Default)]
struct Operation {
    /// The round of its last holder.
    held_in: Option<u64>,
    attempts: u32,
    /// Acknowledged.
    released: bool,
}

impl Witness {
    pub fn hear(&mut self, round: u64, lines: &[String]) {
        self.new.clear();
        for words in lines.iter().filter_map(|line| said(line)) {
            self.said += 1;
            match words.as_slice() {
                ["revoked", name] => drop(self.revoked.insert((*name).to_owned())),
                ["restoring", name] => drop(self.revoked.remove(*name)),
                ["restored", name] => drop(self.restored.insert((*name).to_owned())),
                ["held", name, attempts] => self.held(round, name, attempts.parse().unwrap()),
                ["attempt", name, number] => self.attempted(name, number.parse().unwrap()),
                ["released", name, "true"] => self.operation(name).released = true,
                other => panic!("{other:?}"),
            }
        }
    }

    fn operation(&mut self, name: &str) -> &mut Operation {
        self.operations.entry(name.to_owned()).or_default()
    }

    fn held(&mut self, round: u64, name: &str, attempts: u32) {
        self.new.push(name.to_owned());
        let operation = self.operation(name);
        // Nobody gives one up that is tried twice, so a round has one holder.
        assert_ne!(operation.held_in, Some(round), "{name} is held twice");
        assert!(!operation.released, "{name} is held after its release");
        assert!(attempts >= operation.attempts, "{name}: attempts were refunded");
        operation.held_in = Some(round);
    }

    fn attempted(&mut self, name: &str, number: u32) {
        let operation = self.operation(name);
        assert!(number > operation.attempts && number <= 3, "{name}: attempt {number} again");
        operation.attempts = number;
    }

    /// Asks the ledger of what was heard.
    pub async fn check(&mut self, ledger: &dyn Ledger, round: u64) {
        let listed = ledger.revoked().await.unwrap();
        let there: BTreeSet<_> = listed.into_iter().map(|one| one.target).collect();
        for name in &self.revoked {
            assert!(there.contains(&session(name)), "the revocation of {name} is lost");
        }
        for name in &self.restored {
            assert!(!there.contains(&session(name)), "{name} is revoked again");
        }
        if let Some(name) = self.revoked.last() {
            assert!(is_revoked(ledger, name).await, "{name}");
        }
        self.follow(ledger).await;
        for name in self.new.iter().rev().take(8) {
            // A shared one is tried by the next round, which says what it finds.
            if name.contains('-') {
                self.look(ledger, name, round).await;
            }
        }
        if round + 1 == ROUNDS {
            for name in self.operations.keys().filter(|name| !name.contains('-')) {
                self.look(ledger, name, round).await;
            }
        }
    }

    /// A reader that follows from the beginning knows as much as one that asks for everything.
    async fn follow(&mut self, ledger: &dyn Ledger) {
        let mut snapshot = Reader::default();
        snapshot.read(ledger).await;
        self.reader.read(ledger).await;
        assert_eq!(self.reader.state(0), snapshot.state(0));
    }

    /// Opens an operation when its holder is long dead, and leaves it so.
    async fn look(&self, ledger: &dyn Ledger, name: &str, round: u64) {
        let Some(operation) = self.operations.get(name) else { return };
        let key = name.parse().map_or_else(|_| key_of(name), |shared: u8| [shared; 32]);
        let later = time_of(round) + 50;
        let wanted = Reservation { key, ..reservation(0, "witness", later) };
        match ledger.open(&wanted).await.unwrap() {
            Opened::Held { attempts, lease_id } => {
                assert_ne!(lease_id, wanted.lease_id, "{name} is lost");
                assert!(!operation.released, "{name} is free after its release");
                assert!(attempts >= operation.attempts, "{name}: attempts were refunded");
                ledger.give_up(&key, "witness").await.unwrap();
            }
            Opened::Replayed => {
                // After the second attempt the next step may have come through without a word. Of
                // a shared one, each of its rounds may have been silent about one attempt.
                let silent = !name.contains('-') || operation.attempts >= 2;
                assert!(operation.released || silent, "{name} is stuck");
            }
        }
    }

    /// There was load, and the dead ones left something behind.
    pub fn conclude(&self, took: Duration) {
        let Self { revoked, restored, operations, said, .. } = self;
        let attempts: u32 = operations.values().map(|operation| operation.attempts).sum();
        let released = operations.values().filter(|operation| operation.released).count();
        eprintln!(
            "{ROUNDS} kills in {took:?}: {said} acknowledgements, {} revoked, {} restored, \
             {} operations, {attempts} attempts, {released} released",
            revoked.len(),
            restored.len(),
            operations.len(),
        );
        assert!(revoked.len() > 100 && operations.len() > 100 && released > 10, "no load");
    }
}
