//! Ending all live leases of a session, handle or actor before their time.
//!
//! There may be a hundred thousand, so it is the work of a task that outlives whoever ordered it: it
//! goes a page at a time to the last lease, asks the backends to take each page's values back, and
//! writes in the audit log what it came to. Whoever orders the same again while it runs joins it.
//!
//! The order is in the ledger while it is under way. Should its custody be killed, the next one, or another
//! replica, goes on with it ([`BulkRevocation::resume`]).

use custody_audit::entry::Order;
use custody_audit::{AuditLog, Entry, Event, Outcome};
use custody_backends::resolver::Resolver;
use custody_base::clock::Clock;
use custody_base::under_way;
use custody_ledger::{BulkOrder, LeasePage, LeasePlace, LeaseRow, Ledger, LedgerFault, Target};
use lease::{LEASE_CEILING, UnixSeconds};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Ends leases. Custody has one, for operators and workers alike.
pub struct BulkRevocation {
    ledger: Arc<dyn Ledger>,
    resolver: Arc<Resolver>,
    audit: AuditLog,
    clock: Clock,
    /// The tasks that others may still join.
    joinable: Mutex<HashMap<(Target, Means), Joinable>>,
}

/// What a task works on.
struct Work {
    target: Target,
    means: Means,
    order: Order,
    ordered_at: UnixSeconds,
    /// A custody that was killed had begun it.
    is_resumed: bool,
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

/// The actions of the orders that begin it, as the audit log has them.
const REVOKE: &str = "revoke";
const TEARDOWN: &str = "cred.teardown";
/// How long an answer waits for the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries of a page, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A custody that has not said for so many seconds that it works on an order was killed.
const BUSY: u64 = 10;
/// How often it says so.
const RENEWAL: Duration = Duration::from_secs(3);
/// How often of these the audit log gets the progress.
const RENEWALS_A_NOTE: usize = 4;
/// How often a custody looks for orders that were cut off.
const LOOK: Duration = Duration::from_secs(5);
/// By how many seconds the clocks of replicas may differ, and how long a request may take.
const SKEW: u64 = 5;

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
        let work = Work { target, means, order, ordered_at: (self.clock)(), is_resumed: false };
        let mut all = self.joinable();
        // A task that panicked has closed its channel, and is not joined.
        let is_alive = |joinable: &&mut Joinable| joinable.progress.has_changed().is_ok();
        if let Some(joinable) = all.get_mut(&work.key()).filter(is_alive) {
            joinable.is_ordered_again = true;
            let (bulk, progress) = (Arc::clone(self), joinable.progress.clone());
            under_way::spawn(async move { bulk.keep(&work).await });
            return progress;
        }
        self.start(&mut all, work)
    }

    fn start(
        self: &Arc<Self>,
        all: &mut HashMap<(Target, Means), Joinable>,
        work: Work,
    ) -> watch::Receiver<Progress> {
        let (progress, shown) = watch::channel(Progress::default());
        let joinable = Joinable { progress: shown.clone(), is_ordered_again: false };
        all.insert(work.key(), joinable);
        let bulk = Arc::clone(self);
        under_way::spawn(async move { bulk.run(work, progress).await });
        shown
    }

    /// Goes on with the orders of custodies that were killed, until `stop`.
    pub async fn resume(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(fault) = self.take_up().await {
                tracing::warn!(%fault, "failed to look for revocations that were cut off");
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Takes up the orders that nobody works on any more.
    ///
    /// # Errors
    /// The ledger did not answer.
    pub async fn take_up(self: &Arc<Self>) -> Result<(), LedgerFault> {
        let now = (self.clock)();
        for order in self.ledger.take_orders(now, now.saturating_add(BUSY)).await? {
            let work = Work::again(order);
            if self.joinable().contains_key(&work.key()) {
                continue;
            }
            tracing::info!(of = ?work.target, "resumed a revocation that was cut off");
            self.note(&work, "resumed", None).await;
            // The same order may have come while the note was written. Its task must not be replaced.
            let mut all = self.joinable();
            if !all.contains_key(&work.key()) {
                self.start(&mut all, work);
            }
        }
        Ok(())
    }

    async fn run(&self, work: Work, progress: watch::Sender<Progress>) {
        self.keep(&work).await;
        let ended = tokio::select! {
            ended = self.work(&work, &progress) => ended,
            never = self.keep_on(&work, &progress) => match never {},
        };
        let leases = progress.borrow().leases;
        let last_pass_at = ended.as_ref().map_or_else(|_| (self.clock)(), |began| *began);
        self.write_down(&work, leases, ended.err()).await;
        let order = BulkOrder { ordered_at: last_pass_at, ..work.bulk_order() };
        if let Err(fault) = self.ledger.finish_order(&order).await {
            tracing::warn!(%fault, "failed to record that a revocation is complete: custody repeats it");
        }
    }

    /// Returns when the last pass began.
    async fn work(
        &self,
        work: &Work,
        progress: &watch::Sender<Progress>,
    ) -> Result<UnixSeconds, LedgerFault> {
        let give_up_at = (self.clock)().saturating_add(LEASE_CEILING);
        let mut issued_until = work.issued_until();
        let mut revoking = Vec::new();
        let ended = loop {
            let began = (self.clock)();
            let passed = self.passes(work, issued_until, give_up_at, progress).await;
            match passed {
                Ok(asked) => revoking.extend(asked),
                Err(fault) => {
                    self.joinable().remove(&work.key());
                    break Err(fault);
                }
            }
            if self.is_over(&work.key()) {
                break Ok(began);
            }
            issued_until = UnixSeconds::MAX;
        };
        progress.send_modify(|progress| progress.complete = ended.is_ok());
        for asked in revoking {
            // One that panicked has printed why.
            let _ = asked.await;
        }
        ended
    }

    /// To the last lease. Nobody knows what a custody that was killed had taken back: all that it had
    /// revoked is taken back again.
    async fn passes(
        &self,
        work: &Work,
        issued_until: UnixSeconds,
        give_up_at: UnixSeconds,
        progress: &watch::Sender<Progress>,
    ) -> Result<Vec<JoinHandle<()>>, LedgerFault> {
        let mut revoking = Vec::new();
        let means: &[Means] = match (work.is_resumed, work.means) {
            (true, Means::OfEach) => &[Means::OfEach, Means::OfTarget],
            (_, Means::OfEach) => &[Means::OfEach],
            (_, Means::OfTarget) => &[Means::OfTarget],
        };
        let is_last = |pass| means.last() == Some(&pass);
        for means in means.iter().copied() {
            if means == Means::OfTarget {
                progress.send_replace(Progress::default());
            }
            let mut after = LeasePlace::live_at((self.clock)());
            loop {
                let page = self.page(work, means, (after, issued_until), give_up_at).await?;
                let meant = page.leases.into_iter().filter(|lease| lease.issued_at <= issued_until);
                let meant: Vec<_> = meant.map(LeaseRow::source).collect();
                progress.send_modify(|progress| progress.leases += meant.len() as u64);
                if is_last(means) {
                    revoking.push(self.resolver.revoke_all(meant));
                }
                let Some(next) = page.next else { break };
                after = next;
                let leases = progress.borrow().leases;
                tracing::info!(of = ?work.target, leases, "revoked these leases so far");
            }
        }
        Ok(revoking)
    }

    /// Writes down that this custody works on it. The next time comes soon, should it fail.
    async fn keep(&self, work: &Work) {
        let busy_until = (self.clock)().saturating_add(BUSY);
        if let Err(fault) = self.ledger.keep_order(&work.bulk_order(), busy_until).await {
            tracing::warn!(
                %fault,
                "failed to record that a revocation is under way: no other custody could finish it"
            );
        }
    }

    /// Again and again, with the progress in the audit log.
    async fn keep_on(&self, work: &Work, progress: &watch::Sender<Progress>) -> Infallible {
        let mut noted = 0;
        loop {
            for _ in 0..RENEWALS_A_NOTE {
                sleep(RENEWAL).await;
                self.keep(work).await;
            }
            let leases = progress.borrow().leases;
            if leases != noted {
                noted = leases;
                self.note(work, "in_progress", Some(leases)).await;
            }
        }
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
        work: &Work,
        means: Means,
        (after, issued_until): (LeasePlace, UnixSeconds),
        give_up_at: UnixSeconds,
    ) -> Result<LeasePage, LedgerFault> {
        let (ledger, target) = (&self.ledger, &work.target);
        let mut pause = Duration::from_secs(1);
        loop {
            let now = (self.clock)();
            let by = (now, work.order.by.as_str());
            let page = match means {
                Means::OfTarget => ledger.leases_after(target, after).await,
                Means::OfEach => ledger.revoke_leases_after(target, after, issued_until, by).await,
            };
            match page {
                Err(fault) if now < give_up_at => {
                    tracing::warn!(%fault, ?pause, "failed to revoke leases: custody retries after the pause");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                page => return page,
            }
        }
    }

    async fn note(&self, work: &Work, reason: &'static str, leases: Option<u64>) {
        let mut entry = Entry::new(Event::LeasesRevoked, Outcome::Note);
        (entry.reason, entry.leases) = (Some(reason), leases);
        entry.order = Some(work.order.clone());
        // The writer has logged why it could not be written.
        let _ = self.audit.append(entry).await;
    }

    /// What an order came to that ended leases, was cut off, or failed.
    async fn write_down(&self, work: &Work, leases: u64, fault: Option<LedgerFault>) {
        let mut entry = match fault {
            None if leases == 0 && !work.is_resumed => return,
            None => Entry::new(Event::LeasesRevoked, Outcome::Allow),
            Some(fault) => {
                tracing::error!(
                    %fault, leases,
                    "failed to revoke every lease: the others have ended by themselves"
                );
                let mut entry = Entry::new(Event::LeasesRevoked, Outcome::Deny);
                entry.code = Some("ledger_unavailable");
                entry
            }
        };
        entry.order = Some(work.order.clone());
        entry.leases = Some(leases);
        // The order itself is in the log; the writer has logged why this is not.
        let _ = self.audit.append(entry).await;
    }

    fn joinable(&self) -> MutexGuard<'_, HashMap<(Target, Means), Joinable>> {
        self.joinable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Work ===

impl Work {
    /// An order of a custody that was killed.
    fn again(order: BulkOrder) -> Self {
        let BulkOrder { target, revokes_each, by, action, ordered_at } = order;
        let means = if revokes_each { Means::OfEach } else { Means::OfTarget };
        let action = if action == TEARDOWN { TEARDOWN } else { REVOKE };
        let (target_kind, named) = (Some(target.kind()), Some(target.name().to_owned()));
        let order = Order { by, action, target_kind, target: named };
        Self { target, means, order, ordered_at, is_resumed: true }
    }

    fn key(&self) -> (Target, Means) {
        (self.target.clone(), self.means)
    }

    fn bulk_order(&self) -> BulkOrder {
        BulkOrder {
            target: self.target.clone(),
            revokes_each: self.means == Means::OfEach,
            by: self.order.by.clone(),
            action: self.order.action.to_owned(),
            ordered_at: self.ordered_at,
        }
    }

    /// What was given after the order was cut off is not meant.
    fn issued_until(&self) -> UnixSeconds {
        if self.is_resumed { self.ordered_at.saturating_add(SKEW) } else { UnixSeconds::MAX }
    }
}
