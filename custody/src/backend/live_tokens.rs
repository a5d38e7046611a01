//! Tokens that end with what they were minted from and for.
//!
//! Before a token is handed out, the ledger says that nothing has ended meanwhile, on any replica:
//! * Each long-lived secret it was minted from is still there, and nobody replaced it. What custody
//!   rotates by itself keeps its origin, and the tokens.
//! * Its handle and actor were neither revoked nor restored since it was asked for: the feed of
//!   changes is read up to now. A reader that missed changes takes everything to have ended.
//!
//! A token that has ended is handed to nobody, and its issuer is asked to revoke it. Also a token
//! that nobody asks for: [`LiveTokens::sweep`].

use super::tokens::{MintedFrom, Outcome, Owner, Token, TokenKey, Tokens, digest};
use super::{BackendFault, LongLived};
use crate::ledger::{Change, Revocations, Target};
use crate::under_way;
use async_trait::async_trait;
use lease::{Secret, UnixSeconds};
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// What the ledger tells of revocations.
pub type Changes = Arc<dyn Revocations + Send + Sync>;

/// How long an issuer has to revoke a token. Nobody waits for it.
const REVOCATION_LIMIT: Duration = Duration::from_secs(10);

/// Who minted a token, and may revoke it.
#[async_trait]
pub trait Issuer: Send + Sync {
    /// As the configuration calls it.
    fn name(&self) -> &str;

    /// `false` if it has no way to revoke a token.
    ///
    /// # Errors
    /// It may be good until its end.
    async fn revoke(&self, token: &Secret) -> Result<bool, BackendFault>;
}

/// The tokens of one backend.
pub struct LiveTokens {
    tokens: Tokens,
    secrets: Arc<dyn LongLived>,
    changes: Changes,
    issuer: Weak<dyn Issuer>,
    /// Up to where the changes were read.
    cursor: Mutex<Option<String>>,
}

// === impl LiveTokens ===

impl LiveTokens {
    pub fn new(secrets: Arc<dyn LongLived>, changes: Changes, issuer: Weak<dyn Issuer>) -> Self {
        Self { tokens: Tokens::default(), secrets, changes, issuer, cursor: Mutex::default() }
    }

    /// As [`Tokens::get`], but never a token that has ended.
    ///
    /// # Errors
    /// Those of `mint`; the ledger did not answer; or what is minted ends each time.
    pub async fn get<M, F>(&self, key: TokenKey, now: UnixSeconds, mint: M) -> Outcome
    where
        M: Fn() -> F,
        F: Future<Output = Result<Token, BackendFault>> + Send + 'static,
    {
        // What was revoked before this replica minted anything is no news.
        if self.cursor.lock().await.is_none() {
            self.catch_up().await?;
        }
        for _ in 0..2 {
            let token = self.tokens.get(key, now, &mint).await?;
            self.catch_up().await?;
            if self.is_live(&token, &mut HashMap::new()).await? {
                return Ok(token);
            }
            self.end(&key, &token);
        }
        let what = "its secret, handle or actor changes while a token is minted";
        Err(BackendFault::Down(what.into()))
    }

    /// An upstream refused a token of this owner.
    pub fn forget(&self, owner: &Owner, now: UnixSeconds) {
        self.tokens.forget(owner, now);
    }

    /// Ends the tokens that nobody asks for, and those that were replaced.
    ///
    /// # Errors
    /// The ledger did not answer.
    pub async fn sweep(&self, now: UnixSeconds) -> Result<(), BackendFault> {
        let kept = self.tokens.all(now);
        if kept.is_empty() {
            return Ok(());
        }
        self.catch_up().await?;
        let mut asked = HashMap::new();
        for (key, token) in kept {
            if !self.is_live(&token, &mut asked).await? {
                self.end(&key, &token);
            }
        }
        Ok(())
    }

    /// Marks what the changes up to now have ended.
    async fn catch_up(&self) -> Result<(), BackendFault> {
        // Held over the question: whoever comes next sees the marks of this one.
        let mut cursor = self.cursor.lock().await;
        let feed = self.changes.changes(cursor.as_deref()).await;
        let feed = feed.map_err(|fault| BackendFault::Down(fault.to_string()))?;
        if feed.full {
            self.tokens.end(|_| true);
        } else {
            for change in &feed.changes {
                self.end_of(change);
            }
        }
        *cursor = Some(feed.cursor);
        Ok(())
    }

    fn end_of(&self, change: &Change) {
        match change {
            Change::Revoked { target, .. } | Change::Restored { target } => match target {
                Target::Handle(handle) => {
                    let handle = digest(handle.as_str());
                    self.tokens.end(|owner| owner.handle == handle);
                }
                Target::Actor(actor) => {
                    let actor = digest(actor.as_str());
                    self.tokens.end(|owner| owner.actor == actor);
                }
                Target::Session(_) | Target::Lease(_) => {}
            },
            Change::KillSwitch { .. } => {}
        }
    }

    /// `asked`: what the store said already, so that many tokens of one secret ask once.
    async fn is_live(
        &self,
        token: &Token,
        asked: &mut HashMap<MintedFrom, bool>,
    ) -> Result<bool, BackendFault> {
        if token.ended.load(Ordering::Acquire) {
            return Ok(false);
        }
        for secret in &token.minted_from {
            let is_there = match asked.get(secret) {
                Some(known) => *known,
                None => {
                    let MintedFrom { actor, handle, origin } = secret;
                    let is_there = self.secrets.origin(actor, handle).await? == Some(*origin);
                    asked.insert(secret.clone(), is_there);
                    is_there
                }
            };
            if !is_there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Nobody gets it any more, and its issuer is asked to revoke it, once.
    fn end(&self, key: &TokenKey, token: &Arc<Token>) {
        let Some(issuer) = self.issuer.upgrade() else { return };
        if self.tokens.remove(key, token) {
            let token = Arc::clone(token);
            under_way::spawn(async move { revoke(&*issuer, &token.secret).await });
        }
    }
}

async fn revoke(issuer: &dyn Issuer, token: &Secret) {
    let backend = issuer.name();
    match timeout(REVOCATION_LIMIT, issuer.revoke(token)).await {
        Ok(Ok(true)) => {
            tracing::info!(backend, "revoked a token whose secret, handle or actor ended")
        }
        Ok(Ok(false)) => tracing::warn!(
            backend,
            "cannot revoke a token whose secret, handle or actor ended: the issuer has no revocation \
             endpoint. Custody leases it no more; the issuer accepts it until it expires"
        ),
        Ok(Err(fault)) => tracing::warn!(
            backend, %fault,
            "failed to revoke a token whose secret, handle or actor ended. Custody leases it no more; \
             the issuer accepts it until it expires"
        ),
        Err(_) => tracing::warn!(
            backend,
            "failed to revoke a token whose secret, handle or actor ended: the issuer did not answer \
             in time. Custody leases it no more; the issuer accepts it until it expires"
        ),
    }
}
