//! Refresh tokens that are good once (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! ```text
//!  lock ── read ── mark ── spend ── the answer has a new one? ── store, durably ── unmark ── unlock
//!                                                                                   ── use the access
//! ```
//! * Under a lock of the ledger, so that no two replicas spend one refresh token: to its server the
//!   second would be a thief, and both would lose the grant.
//! * The new refresh token is stored before the access token is used. If it cannot be stored, the
//!   access token is dropped, the new refresh token stays in memory, and storing it is the first
//!   thing the next request does.
//! * One case no client can mend: the server rotates, and custody stops before it has stored the
//!   answer, or never gets it. Custody marks a refresh token before it sends it, and removes the mark
//!   when the outcome is certain. If the server refuses a marked one, the rotation is lost, and custody
//!   reports that ([`BackendFault::RefreshTokenLost`]). A new consent (`custody cred put`) is what
//!   helps.
//! * Lock and mark belong to one origin of the refresh token, so a new consent waits for neither.

use super::answer::is_invalid_grant;
use crate::tokens::Token;
use crate::{BackendFault, LongLived, StoredSecret};
use custody_base::actor::Actor;
use custody_base::clock;
use custody_base::credential::SecretOrigin;
use custody_base::names::fresh_id;
use custody_ledger::{LedgerFault, Locks};
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
/// How long a mark lasts, in seconds: longer than refresh tokens live.
const MARK_LIFE: u64 = 10 * 365 * 24 * 3600;
/// Before each further try to store a new refresh token.
const STORE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];

/// Spends refresh tokens.
pub(super) struct Rotation {
    secrets: Arc<dyn LongLived>,
    locks: Arc<dyn Locks + Send + Sync>,
    owed: Mutex<HashMap<(Actor, Handle), Owed>>,
}

/// The answer to a refresh token: the access token, if that is fit, and the next refresh token, if it
/// was rotated.
pub(super) type Spent = Result<(Result<Token, BackendFault>, Option<Secret>), BackendFault>;

/// A new refresh token that could not be stored yet.
struct Owed {
    /// Digest of the one that was spent for it: what the store still has, unless somebody put
    /// another there.
    spent: [u8; 32],
    next: Secret,
    mark: Mark,
}

/// Records in the ledger that a refresh token was sent. A lock, as it is a row with an end.
struct Mark {
    name: String,
    owner: String,
    /// The refresh token was sent before, and what became of it is not known.
    is_old: bool,
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

    /// Spends the refresh token of this actor and handle with `ask`.
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
        ask: impl AsyncFnOnce(&Secret) -> Spent,
    ) -> Result<Token, BackendFault> {
        let (held, current) = self.lock(actor, handle).await?;
        let outcome = self.spend_locked(&held, current, (actor, handle), ask).await;
        self.unlock(&held.name, &held.owner).await;
        outcome
    }

    async fn spend_locked(
        &self,
        held: &Held,
        stored: StoredSecret,
        (actor, handle): (&Actor, &Handle),
        ask: impl AsyncFnOnce(&Secret) -> Spent,
    ) -> Result<Token, BackendFault> {
        let current = self.current(actor, handle, stored).await?;
        if held.since.elapsed() > LOCK_LIFE - LOCK_SPARE {
            return Err(BackendFault::Down(
                "the store is too slow to spend a refresh token".into(),
            ));
        }
        let mark = self.mark(held, &current, (actor, handle)).await?;
        let (token, next) = match ask(&current.secret).await {
            Ok(answer) => answer,
            Err(fault) => return Err(self.refused(fault, &mark, (actor, handle)).await),
        };
        match next.filter(|next| next.expose() != current.secret.expose()) {
            Some(next) => {
                self.store(actor, handle, &current, next, mark).await?;
                tracing::info!(%actor, %handle, "rotated the refresh token");
            }
            None => self.unlock(&mark.name, &mark.owner).await,
        }
        let mut token = token?;
        let (whose, origin) = (actor.clone(), current.origin);
        token.minted_from.push(SecretOrigin { actor: whose, handle: handle.clone(), origin });
        Ok(token)
    }

    /// The fault of a refresh token that was sent in vain. Custody removes the mark, unless it is
    /// uncertain what the server did with the refresh token.
    async fn refused(
        &self,
        fault: BackendFault,
        mark: &Mark,
        (actor, handle): (&Actor, &Handle),
    ) -> BackendFault {
        if !matches!(fault, BackendFault::Denied(_)) {
            return fault;
        }
        if !mark.is_old {
            self.unlock(&mark.name, &mark.owner).await;
        }
        if !is_invalid_grant(&fault) {
            return fault;
        }
        let fix = format!(
            "fix: get a new refresh token, and custody cred put {handle} --type opaque --actor {actor}"
        );
        if mark.is_old {
            return BackendFault::RefreshTokenLost(format!(
                "the authorization server refuses it (invalid_grant), and custody sent it before and \
                 was stopped, or got no answer, before it could store the next one; {fix}"
            ));
        }
        match fault {
            BackendFault::Denied(text) => BackendFault::Denied(format!(
                "{text}: the refresh token has expired or was revoked; {fix}"
            )),
            other => other,
        }
    }

    async fn mark(
        &self,
        held: &Held,
        current: &StoredSecret,
        (actor, handle): (&Actor, &Handle),
    ) -> Result<Mark, BackendFault> {
        let StoredSecret { origin, version, .. } = current;
        let name = format!("refresh-token-sent/{actor}/{handle}/{origin}/{version}");
        let now = clock::now();
        if let Some(owner) = self.locks.holder(&name, now).await.map_err(ledger_down)? {
            return Ok(Mark { name, owner, is_old: true });
        }
        let until = now.saturating_add(MARK_LIFE);
        let is_ours = self.locks.lock(&name, &held.owner, now, until).await.map_err(ledger_down)?;
        if !is_ours {
            return Err(BackendFault::Down("the lock of this refresh token ran out".into()));
        }
        Ok(Mark { name, owner: held.owner.clone(), is_old: false })
    }

    /// The refresh token to spend: of the store, once it has what it is owed.
    async fn current(
        &self,
        actor: &Actor,
        handle: &Handle,
        stored: StoredSecret,
    ) -> Result<StoredSecret, BackendFault> {
        let owed = self.owed().remove(&(actor.clone(), handle.clone()));
        match owed {
            Some(owed) if owed.spent == digest(&stored.secret) => {
                self.store(actor, handle, &stored, owed.next, owed.mark).await?;
                self.secrets.read(actor, handle).await
            }
            // Somebody put another; that one is meant.
            Some(owed) => {
                self.unlock(&owed.mark.name, &owed.mark.owner).await;
                Ok(stored)
            }
            None => Ok(stored),
        }
    }

    async fn store(
        &self,
        actor: &Actor,
        handle: &Handle,
        spent: &StoredSecret,
        next: Secret,
        mark: Mark,
    ) -> Result<(), BackendFault> {
        let mut stored = self.secrets.replace(actor, handle, spent.version, &next).await;
        for wait in STORE_AGAIN {
            if stored.is_ok() {
                break;
            }
            sleep(wait).await;
            stored = self.secrets.replace(actor, handle, spent.version, &next).await;
        }
        let stored = match stored {
            Ok(stored) => stored,
            Err(fault) => {
                tracing::error!(%actor, %handle, %fault,
                "a rotated refresh token cannot be stored; it is kept in memory and tried again \
                 at the next request. Do not stop custody before it is");
                let owed = Owed { spent: digest(&spent.secret), next, mark };
                self.owed().insert((actor.clone(), handle.clone()), owed);
                return Err(BackendFault::RefreshTokenNotStored(fault.to_string()));
            }
        };
        self.unlock(&mark.name, &mark.owner).await;
        if !stored {
            // Also after a write that failed for all we know, and was made.
            tracing::warn!(%actor, %handle,
                "the refresh token was replaced while custody used the old one: custody keeps the replacement");
        }
        Ok(())
    }

    /// The lock, and the refresh token it is for.
    async fn lock(
        &self,
        actor: &Actor,
        handle: &Handle,
    ) -> Result<(Held, StoredSecret), BackendFault> {
        let owner = fresh_id("own")?;
        let (patience, pause) = LOCK_PATIENCE;
        let deadline = Instant::now() + patience;
        loop {
            let origin = self.secrets.origin(actor, handle).await?;
            let origin = origin.ok_or(BackendFault::Absent)?;
            // Neither name has a slash, so no two pairs share a lock.
            let name = format!("refresh-token/{actor}/{handle}/{origin}");
            let since = Instant::now();
            let now = clock::now();
            let until = now + LOCK_LIFE.as_secs();
            if self.locks.lock(&name, &owner, now, until).await.map_err(ledger_down)? {
                let held = Held { name, owner: owner.clone(), since };
                match self.secrets.read(actor, handle).await {
                    Ok(stored) if stored.origin == origin => return Ok((held, stored)),
                    Ok(_) => self.unlock(&held.name, &held.owner).await,
                    Err(fault) => {
                        self.unlock(&held.name, &held.owner).await;
                        return Err(fault);
                    }
                }
            }
            if Instant::now() >= deadline {
                return Err(BackendFault::Down(format!(
                    "a custody is spending this refresh token, or was stopped while it did; its lock \
                     ends within {} s",
                    LOCK_LIFE.as_secs()
                )));
            }
            sleep(pause).await;
        }
    }

    async fn unlock(&self, name: &str, owner: &str) {
        if let Err(fault) = self.locks.unlock(name, owner).await {
            // It runs out by itself.
            tracing::warn!(lock = name, %fault, "failed to release a lock: it ends by itself");
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
