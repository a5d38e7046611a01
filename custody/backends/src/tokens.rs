//! Short-lived tokens that were minted for us, kept in memory until they are old.
//!
//! ```text
//!  minted_at              refresh_from            stale_from   expires_at
//!     |------ handed out ------|-- handed out, while --|-- waits for --|
//!                              |   one task renews it  |    a new one  |
//! ```
//! * One flight a key: of any number of askers, one task asks the issuer, the others wait for it and
//!   share its outcome. An asker that goes away does not stop the task: what it got may be a rotated
//!   refresh token, which must be stored.
//! * Renewed early, between 60 % and 75 % of its life at random, so that many replicas do not ask at
//!   once, and that of an hour's token a quarter, the longest lease there is, is nearly always left.
//! * A failure is not kept. For [`PAUSE`] after one the issuer is not asked for its key again, and each
//!   request meanwhile gets the same fault. So custody does not hammer an issuer that is down.
//! * A token that was replaced, or that an upstream refused, is good at its issuer until its end. It is
//!   kept aside, so that it can be revoked with what it was minted from and for.
//! * Bounded by [`CAPACITY`] and [`MOST_ASIDE`]. A token that is pushed out before its end goes to
//!   [`Tokens::take_pushed_out`], to be revoked; one that expired is wiped within a second or so.

use super::BackendFault;
use custody_base::actor::Actor;
use custody_base::credential::SecretOrigin;
use custody_base::under_way;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use lease::{Handle, LEASE_CEILING, Secret, UnixSeconds};
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Keys at most, with tokens of some 2 KiB. The key whose token was handed out longest ago makes room, once
/// no lease holds that any more; until then a new key finds none.
pub const CAPACITY: usize = 16_384;
/// How long after a failure the same key is not asked again.
pub const PAUSE: Duration = Duration::from_secs(1);
/// No token is kept longer, even if its issuer gives it a longer life: 24 h, in seconds.
pub const KEPT_CEILING: u64 = 24 * 3600;
/// Tokens of one key that are kept aside: one is replaced after 60 % of its life, so more come only of
/// upstreams that refuse them. The oldest is pushed out.
const MOST_ASIDE: usize = 4;
/// A token with less left than this, or than a quarter of its life, is not handed out; seconds.
const SPARE: u64 = 30;
/// A token that was minted less than so many seconds ago is kept though an upstream refused it.
const YOUNG: u64 = 10;

/// A minted token.
pub struct Token {
    pub secret: Secret,
    /// As its issuer wrote it.
    pub scope: Vec<String>,
    pub minted_at: UnixSeconds,
    pub expires_at: UnixSeconds,
    /// The long-lived secrets that proved who asked for it.
    pub minted_from: Vec<SecretOrigin>,
    /// Its owner or its secret has ended; nobody is to get it.
    pub(super) ended: AtomicBool,
}

/// The key of a token: its [owner](Owner), and a digest of everything that it depends on, so that the map
/// holds no session.
pub type TokenKey = (Owner, [u8; 32]);

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    pub actor: Actor,
    pub handle: Handle,
}

/// The tokens of one backend.
#[derive(Clone, Default)]
pub struct Tokens(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    slots: HashMap<TokenKey, Slot>,
    /// Their issuer accepts them, and nobody gets them any more.
    pushed_out: Vec<(Owner, Arc<Token>)>,
}

/// The result for a request.
pub type Outcome = Result<Arc<Token>, BackendFault>;

#[derive(Default)]
struct Slot {
    kept: Option<Kept>,
    /// Handed out before, not any more, and not at their ends yet.
    aside: Vec<Arc<Token>>,
    flight: Option<Shared<BoxFuture<'static, Outcome>>>,
    /// The token in flight has ended before it arrives.
    is_flight_ended: bool,
    failed: Option<(Instant, BackendFault)>,
    /// When a token was handed out last. A lease that holds it ends within [`LEASE_CEILING`].
    given_at: UnixSeconds,
}

struct Kept {
    token: Arc<Token>,
    refresh_from: UnixSeconds,
    stale_from: UnixSeconds,
}

/// The next step for a request.
enum Step {
    Answer(Outcome),
    Await(Shared<BoxFuture<'static, Outcome>>),
}

// === impl Tokens ===

impl Tokens {
    /// The token of this key: the one that is kept, or the one that `mint` makes.
    ///
    /// # Errors
    /// Those of `mint`.
    pub async fn get<M, F>(&self, key: TokenKey, now: UnixSeconds, mint: M) -> Outcome
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Token, BackendFault>> + Send + 'static,
    {
        let step = self.step(key, now, mint);
        match step {
            Step::Answer(outcome) => outcome,
            Step::Await(flight) => flight.await,
        }
    }

    /// Nobody gets the tokens any more that are kept for this owner, but for those so young that the
    /// next would be no better: a guest could have its issuer asked as often as it makes an upstream
    /// refuse one.
    pub fn forget(&self, owner: &Owner, now: UnixSeconds) {
        let Shelf { slots, pushed_out } = &mut *self.shelf();
        for (_, slot) in slots.iter_mut().filter(|((own, _), _)| own == owner) {
            let is_old = |kept: &mut Kept| kept.token.minted_at.saturating_add(YOUNG) <= now;
            if let Some(refused) = slot.kept.take_if(is_old) {
                let oldest = slot.put_aside(refused.token, now);
                pushed_out.extend(oldest.map(|oldest| (owner.clone(), oldest)));
            }
        }
    }

    /// The tokens that were pushed out since the last time this was asked.
    pub fn take_pushed_out(&self) -> Vec<(Owner, Arc<Token>)> {
        std::mem::take(&mut self.shelf().pushed_out)
    }

    /// Marks as ended what these owners have, and what is being minted for them.
    pub fn end(&self, is_ended: impl Fn(&Owner) -> bool) {
        let slots = &mut self.shelf().slots;
        for (_, slot) in slots.iter_mut().filter(|((owner, _), _)| is_ended(owner)) {
            for token in slot.tokens() {
                token.ended.store(true, Ordering::Release);
            }
            slot.is_flight_ended = slot.flight.is_some();
        }
    }

    /// Takes this very token away; `false` if somebody else did.
    pub fn remove(&self, key: &TokenKey, token: &Arc<Token>) -> bool {
        let slots = &mut self.shelf().slots;
        let Some(slot) = slots.get_mut(key) else { return false };
        if slot.kept.take_if(|kept| Arc::ptr_eq(&kept.token, token)).is_some() {
            return true;
        }
        let at = slot.aside.iter().position(|aside| Arc::ptr_eq(aside, token));
        at.map(|at| slot.aside.remove(at)).is_some()
    }

    /// Everything that is kept, also aside, and has not come to its end. Ended ones are wiped.
    pub fn all(&self, now: UnixSeconds) -> Vec<(TokenKey, Arc<Token>)> {
        let of_slot = |(key, slot): (&TokenKey, &Slot)| {
            let tokens = slot.tokens().filter(|token| now < token.expires_at);
            tokens.map(|token| (key.clone(), Arc::clone(token))).collect::<Vec<_>>()
        };
        let slots = &mut self.shelf().slots;
        slots.retain(|_, slot| slot.is_needed(now));
        slots.iter().flat_map(of_slot).collect()
    }

    /// The token that is kept under this key, which nobody gets any more.
    #[cfg(test)]
    pub fn take(&self, key: &TokenKey) -> Option<Arc<Token>> {
        let kept = self.shelf().slots.get_mut(key).and_then(|slot| slot.kept.take());
        kept.map(|kept| kept.token)
    }

    fn step<M, F>(&self, key: TokenKey, now: UnixSeconds, mint: M) -> Step
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Token, BackendFault>> + Send + 'static,
    {
        let mut shelf = self.shelf();
        if !shelf.make_room(&key, now) {
            let full = format!("leases hold tokens of {CAPACITY} kinds, which is the most");
            return Step::Answer(Err(BackendFault::Down(full)));
        }
        let slot = shelf.slots.entry(key.clone()).or_default();
        slot.given_at = now;
        let kept = slot.kept.as_ref().filter(|kept| now < kept.stale_from);
        let answer = kept.map(|kept| (Arc::clone(&kept.token), now >= kept.refresh_from));
        if let Some((token, false)) = answer {
            return Step::Answer(Ok(token));
        }
        let fault = slot.failed.as_ref().filter(|(at, _)| at.elapsed() < PAUSE);
        let fault = fault.map(|(_, fault)| fault.clone());
        if slot.flight.is_none() && fault.is_none() {
            slot.flight = Some(self.depart(key, mint()));
        }
        match (answer, &slot.flight, fault) {
            (Some((token, _)), _, _) => Step::Answer(Ok(token)),
            (None, Some(flight), _) => Step::Await(flight.clone()),
            (None, None, Some(fault)) => Step::Answer(Err(fault)),
            (None, None, None) => Step::Answer(Err(panicked())),
        }
    }

    fn depart<F>(&self, key: TokenKey, mint: F) -> Shared<BoxFuture<'static, Outcome>>
    where
        F: Future<Output = Result<Token, BackendFault>> + Send + 'static,
    {
        let tokens = self.clone();
        let task = under_way::spawn(async move {
            let minted = AssertUnwindSafe(mint).catch_unwind().await;
            let outcome = minted.unwrap_or_else(|_| Err(panicked())).map(Arc::new);
            tokens.arrive(&key, &outcome);
            outcome
        });
        async move { task.await.unwrap_or_else(|_| Err(panicked())) }.boxed().shared()
    }

    fn arrive(&self, key: &TokenKey, outcome: &Outcome) {
        let Shelf { slots, pushed_out } = &mut *self.shelf();
        let Some(slot) = slots.get_mut(key) else { return };
        slot.flight = None;
        let is_ended = std::mem::take(&mut slot.is_flight_ended);
        match outcome {
            Ok(token) => {
                slot.failed = None;
                token.ended.store(is_ended, Ordering::Release);
                if let Some(replaced) = slot.kept.replace(Kept::new(Arc::clone(token))) {
                    let oldest = slot.put_aside(replaced.token, token.minted_at);
                    pushed_out.extend(oldest.map(|oldest| (key.0.clone(), oldest)));
                }
            }
            Err(fault) => slot.failed = Some((Instant::now(), fault.clone())),
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Nothing in here is half done when a panic unlocks it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose token it is.
pub fn owner(actor: &Actor, handle: &Handle) -> Owner {
    Owner { actor: actor.clone(), handle: handle.clone() }
}

fn panicked() -> BackendFault {
    BackendFault::Down("it panicked".into())
}

// === impl Shelf ===

impl Shelf {
    /// `false` if a new key finds no room.
    fn make_room(&mut self, key: &TokenKey, now: UnixSeconds) -> bool {
        if self.slots.len() < CAPACITY || self.slots.contains_key(key) {
            return true;
        }
        self.slots.retain(|_, slot| slot.is_needed(now));
        if self.slots.len() < CAPACITY {
            return true;
        }
        let idle = self.slots.iter().filter(|(_, slot)| {
            slot.flight.is_none() && slot.given_at.saturating_add(LEASE_CEILING) <= now
        });
        let first = idle.min_by_key(|(_, slot)| slot.given_at).map(|(key, _)| key.clone());
        let Some((key, slot)) = first.and_then(|first| self.slots.remove_entry(&first)) else {
            return false;
        };
        let tokens = slot.tokens().filter(|token| now < token.expires_at);
        self.pushed_out.extend(tokens.map(|token| (key.0.clone(), Arc::clone(token))));
        true
    }
}

// === impl Slot ===

impl Slot {
    fn tokens(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.kept.iter().map(|kept| &kept.token).chain(&self.aside)
    }

    /// Of too many, the oldest.
    fn put_aside(&mut self, token: Arc<Token>, now: UnixSeconds) -> Option<Arc<Token>> {
        self.aside.retain(|aside| now < aside.expires_at);
        let oldest = (self.aside.len() >= MOST_ASIDE).then(|| self.aside.remove(0));
        self.aside.push(token);
        oldest
    }

    fn is_needed(&self, now: UnixSeconds) -> bool {
        self.flight.is_some()
            || self.tokens().any(|token| now < token.expires_at)
            || self.failed.as_ref().is_some_and(|(at, _)| at.elapsed() < PAUSE)
    }
}

// === impl Kept ===

impl Kept {
    fn new(token: Arc<Token>) -> Self {
        let life = token.expires_at.saturating_sub(token.minted_at).min(KEPT_CEILING);
        let end = token.minted_at + life;
        let jitter = (u64::from(getrandom::u32().unwrap_or(0)) * (life * 15 / 100)) >> 32;
        Self {
            refresh_from: token.minted_at + life * 60 / 100 + jitter,
            stale_from: end - SPARE.min(life / 4),
            token,
        }
    }
}

#[cfg(test)]
mod tests;
