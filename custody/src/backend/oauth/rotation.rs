//! Refresh tokens that are good once (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! ```text
//!  lock ── read ── spend ── the answer has a new one? ── store, durably ── unlock ── use the access
//! ```
//! * Under a lock of the ledger, so that no two replicas spend one refresh token: to its server the
//!   second would be a thief, and both would lose the grant.
//! * The new refresh token is stored before the access token is used. If it cannot be stored, the
//!   access token is dropped, the new refresh token stays in memory, and storing it is the first
//!   thing the next request does.
//! * What no client can mend: custody dies after the server rotated and before the answer is stored.
//!   Then the server's own grace, or a new consent (`custody cred put`), is what helps.

use crate::actor::Actor;
use crate::backend::tokens::{MintedFrom, Token};
use crate::backend::{BackendFault, LongLived, StoredSecret};
use crate::clock;
use crate::ledger::{LedgerFault, Locks};
use crate::names::fresh_id;
use lease::{Handle, Secret};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a lock holds if its owner dies. A request takes a fraction of it.
const LOCK_LIFE: Duration = Duration::from_secs(120);
/// A refresh token is not spent on a lock with less left than this.
const LOCK_SPARE: Duration = Duration::from_secs(60);
/// How long another owner of the lock is waited for, and how often it is tried.
const LOCK_PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_millis(200));
/// Before each further try to store a new refresh token.
const STORE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// Spends refresh tokens.
pub(super) struct Rotation {
    secrets: Arc<dyn LongLived>,
    locks: Arc<dyn Locks + Send + Sync>,
    owed: Mutex<HashMap<(Actor, Handle), Owed>>,
}

/// A new refresh token that could not be stored yet.
struct Owed {
    /// Digest of the one that was spent for it: what the store still has, unless somebody put
    /// another there.
    spent: [u8; 32],
    next: Secret,
}

/// A lock that is held.
struct Held {
    name: String,
    owner: String,
    since: Instant,
}

// === impl Rotation ===

impl Rotation {
    pub fn new(secrets: Arc<dyn LongLived>, locks: Arc<dyn Locks + Send + Sync>) -> Self {
        Self { secrets, locks, owed: Mutex::default() }
    }

    /// Spends the refresh token of this actor and handle with `ask`, which answers with the access
    /// token and, if it was rotated, the next refresh token.
    ///
    /// Must not be cancelled: a rotated token would be lost.
    ///
    /// # Errors
    /// Those of `ask`; [`BackendFault::Down`] if another replica holds the lock for too long, or the
    /// new refresh token cannot be stored.
    pub async fn spend(
        &self,
        actor: &Actor,
        handle: &Handle,
        ask: impl AsyncFnOnce(&Secret) -> Result<(Token, Option<Secret>), BackendFault>,
    ) -> Result<Token, BackendFault> {
        let held = self.lock(actor, handle).await?;
        let outcome = self.spend_locked(&held, actor, handle, ask).await;
        if let Err(fault) = self.locks.unlock(&held.name, &held.owner).await {
            // It runs out by itself.
            tracing::warn!(lock = held.name, %fault, "a lock cannot be given back");
        }
        outcome
    }

    async fn spend_locked(
        &self,
        held: &Held,
        actor: &Actor,
        handle: &Handle,
        ask: impl AsyncFnOnce(&Secret) -> Result<(Token, Option<Secret>), BackendFault>,
    ) -> Result<Token, BackendFault> {
        let current = self.current(actor, handle).await?;
        if held.since.elapsed() > LOCK_LIFE - LOCK_SPARE {
            return Err(BackendFault::Down(
                "the store is too slow to spend a refresh token".into(),
            ));
        }
        let (mut token, next) = ask(&current.secret).await?;
        let (whose, origin) = (actor.clone(), current.origin);
        token.minted_from.push(MintedFrom { actor: whose, handle: handle.clone(), origin });
        if let Some(next) = next.filter(|next| next.expose() != current.secret.expose()) {
            self.store(actor, handle, &current, next).await?;
            tracing::info!(%actor, %handle, "the refresh token was rotated");
        }
        Ok(token)
    }

    /// The refresh token to spend: of the store, once it has what it is owed.
    async fn current(&self, actor: &Actor, handle: &Handle) -> Result<StoredSecret, BackendFault> {
        let stored = self.secrets.read(actor, handle).await?;
        let owed = self.owed().remove(&(actor.clone(), handle.clone()));
        match owed {
            Some(owed) if owed.spent == digest(&stored.secret) => {
                self.store(actor, handle, &stored, owed.next).await?;
                self.secrets.read(actor, handle).await
            }
            // Somebody put another; that one is meant.
            Some(_) | None => Ok(stored),
        }
    }

    async fn store(
        &self,
        actor: &Actor,
        handle: &Handle,
        spent: &StoredSecret,
        next: Secret,
    ) -> Result<(), BackendFault> {
        let mut stored = self.secrets.replace(actor, handle, spent.version, &next).await;
        for wait in STORE_AGAIN {
            if stored.is_ok() {
                break;
            }
            sleep(wait).await;
            stored = self.secrets.replace(actor, handle, spent.version, &next).await;
        }
        let stored = stored.map_err(|fault| {
            tracing::error!(%actor, %handle, %fault,
                "a rotated refresh token cannot be stored; it is kept in memory and tried again \
                 at the next request. Do not stop custody before it is");
            let owed = Owed { spent: digest(&spent.secret), next: next.duplicate() };
            self.owed().insert((actor.clone(), handle.clone()), owed);
            BackendFault::Down("the rotated refresh token cannot be stored".into())
        })?;
        if !stored {
            // Also after a write that failed for all we know, and was made.
            tracing::warn!(%actor, %handle,
                "the store has another refresh token than the one that was spent; that one stays");
        }
        Ok(())
    }

    async fn lock(&self, actor: &Actor, handle: &Handle) -> Result<Held, BackendFault> {
        // Neither has a slash, so no two pairs share a name.
        let name = format!("refresh-token/{actor}/{handle}");
        let owner = fresh_id("own")?;
        let (patience, pause) = LOCK_PATIENCE;
        let deadline = Instant::now() + patience;
        loop {
            let since = Instant::now();
            let now = clock::now();
            let until = now + LOCK_LIFE.as_secs();
            if self.locks.lock(&name, &owner, now, until).await.map_err(ledger_down)? {
                return Ok(Held { name, owner, since });
            }
            if Instant::now() >= deadline {
                let what = "another custody is spending this refresh token, and does not end";
                return Err(BackendFault::Down(what.into()));
            }
            sleep(pause).await;
        }
    }

    fn owed(&self) -> MutexGuard<'_, HashMap<(Actor, Handle), Owed>> {
        // One insert or remove is all that happens under it.
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(secret: &Secret) -> [u8; 32] {
    Sha256::digest(secret.expose()).into()
}

fn ledger_down(fault: LedgerFault) -> BackendFault {
    BackendFault::Down(fault.to_string())
}
