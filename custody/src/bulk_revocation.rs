//! Ending all live leases of a session, handle or actor before their time.
//!
//! There may be a hundred thousand, so it is the work of a task that outlives whoever ordered it: it
//! goes a page at a time to the last lease, asks the backends to take each page's values back, and
//! writes in the audit log what it came to. Whoever orders the same again while it runs joins it.

use crate::audit::entry::Order;
use crate::audit::{AuditLog, Entry, Event, Outcome};
use crate::backend::resolver::Resolver;
use crate::clock::Clock;
use crate::ledger::{LeasePage, LeasePlace, LeaseRow, Ledger, LedgerFault, Target};
use crate::under_way;
use lease::{LEASE_CEILING, UnixSeconds};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Ends leases. Custody has one, for operators and workers alike.
pub struct BulkRevocation {
    ledger: Arc<dyn Ledger>,
    resolver: Arc<Resolver>,
    audit: AuditLog,
    clock: Clock,
    /// The tasks that others may still join.
    joinable: Mutex<HashMap<(Target, Means), Joinable>>,
}

struct Joinable {
    progress: watch::Receiver<Progress>,
    /// Somebody joined: leases may have been given since the task passed their place.
    is_ordered_again: bool,
}

/// What makes the leases end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// A revocation of the target, which stands already.
    OfTarget,
    /// A revocation of each lease.
    OfEach,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Leases that were found, and have ended.
    pub leases: u64,
    /// There are no more.
    pub complete: bool,
}

/// How long an answer waits for the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries of a page, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

// === impl BulkRevocation ===

impl BulkRevocation {
    pub fn new(
        ledger: Arc<dyn Ledger>,
        resolver: Arc<Resolver>,
        audit: AuditLog,
        clock: Clock,
    ) -> Self {
        Self { ledger, resolver, audit, clock, joinable: Mutex::default() }
    }

    /// Ends the leases that are live now, and says how far that has come when it is complete or some
    /// seconds are over. It goes on in any case.
    pub async fn end(self: &Arc<Self>, target: Target, means: Means, order: Order) -> Progress {
        let mut progress = self.join_or_start(target, means, order);
        // A task that died has closed the channel: what it had done by then is what is told.
        let _ = timeout(PATIENCE, progress.wait_for(|progress| progress.complete)).await;
        *progress.borrow_and_update()
    }

    fn join_or_start(
        self: &Arc<Self>,
        target: Target,
        means: Means,
        order: Order,
    ) -> watch::Receiver<Progress> {
        let mut all = self.joinable();
        let key = (target, means);
        // A task that panicked has closed its channel, and is not joined.
        let is_alive = |joinable: &&mut Joinable| joinable.progress.has_changed().is_ok();
        if let Some(joinable) = all.get_mut(&key).filter(is_alive) {
            joinable.is_ordered_again = true;
            return joinable.progress.clone();
        }
        let (progress, shown) = watch::channel(Progress::default());
        let joinable = Joinable { progress: shown.clone(), is_ordered_again: false };
        all.insert(key.clone(), joinable);
        let bulk = Arc::clone(self);
        under_way::spawn(async move { bulk.run(key, order, progress).await });
        shown
    }

    async fn run(&self, key: (Target, Means), order: Order, progress: watch::Sender<Progress>) {
        let give_up_at = (self.clock)().saturating_add(LEASE_CEILING);
        let mut taking_back = Vec::new();
        let mut after = LeasePlace::live_at((self.clock)());
        let outcome = loop {
            let page = match self.page(&key, after, &order.by, give_up_at).await {
                Ok(page) => page,
                Err(fault) => {
                    self.joinable().remove(&key);
                    break Err(fault);
                }
            };
            progress.send_modify(|progress| progress.leases += page.leases.len() as u64);
            taking_back
                .push(self.resolver.take_back(page.leases.into_iter().map(LeaseRow::source)));
            let Some(next) = page.next else {
                if self.is_over(&key) {
                    break Ok(());
                }
                after = LeasePlace::live_at((self.clock)());
                if key.1 == Means::OfTarget {
                    progress.send_replace(Progress::default());
                }
                continue;
            };
            after = next;
            let leases = progress.borrow().leases;
            tracing::info!(of = ?key.0, leases, "custody has revoked these leases so far, and goes on");
        };
        progress.send_modify(|progress| progress.complete = outcome.is_ok());
        for asked in taking_back {
            // One that panicked has printed why.
            let _ = asked.await;
        }
        let leases = progress.borrow().leases;
        self.write_down(order, leases, outcome).await;
    }

    /// Nobody has ordered it again since the last pass began; nobody can join from now on.
    fn is_over(&self, key: &(Target, Means)) -> bool {
        let mut all = self.joinable();
        match all.get_mut(key) {
            Some(joinable) if joinable.is_ordered_again => {
                joinable.is_ordered_again = false;
                false
            }
            _ => {
                all.remove(key);
                true
            }
        }
    }

    /// Tries until the ledger answers, or the leases have ended by themselves.
    async fn page(
        &self,
        (target, means): &(Target, Means),
        after: LeasePlace,
        by: &str,
        give_up_at: UnixSeconds,
    ) -> Result<LeasePage, LedgerFault> {
        let mut pause = Duration::from_secs(1);
        loop {
            let now = (self.clock)();
            let page = match means {
                Means::OfTarget => self.ledger.leases_after(target, after).await,
                Means::OfEach => self.ledger.revoke_leases_after(target, after, now, by).await,
            };
            match page {
                Err(fault) if now < give_up_at => {
                    tracing::warn!(%fault, ?pause, "failed to revoke leases; custody tries again after the pause");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                page => return page,
            }
        }
    }

    /// What an order came to that ended leases, or failed.
    async fn write_down(&self, order: Order, leases: u64, outcome: Result<(), LedgerFault>) {
        let mut entry = match outcome {
            Ok(()) if leases == 0 => return,
            Ok(()) => Entry::new(Event::LeasesRevoked, Outcome::Allow),
            Err(fault) => {
                tracing::error!(
                    %fault, leases,
                    "failed to revoke every lease; the others have ended by themselves by now"
                );
                let mut entry = Entry::new(Event::LeasesRevoked, Outcome::Deny);
                entry.code = Some("ledger_unavailable");
                entry
            }
        };
        entry.order = Some(order);
        entry.leases = Some(leases);
        // The order itself is in the log; the writer has logged why this is not.
        let _ = self.audit.append(entry).await;
    }

    fn joinable(&self) -> MutexGuard<'_, HashMap<(Target, Means), Joinable>> {
        self.joinable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
