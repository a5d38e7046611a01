//! Tokens that end with what they were minted from and for.
//!
//! Before custody leases a token, the ledger confirms that nothing has ended meanwhile, on any replica:
//! * Each long-lived secret it was minted from is still there, and nobody replaced it. A secret that
//!   custody rotates by itself keeps its origin, and the tokens.
//! * Its handle and actor were neither revoked, restored nor torn down since it was asked for: the feed
//!   of changes is read up to now. A reader that missed changes takes everything to have ended.
//!
//! A token that has ended is handed to nobody, and its issuer is asked to revoke it. Also a token
//! that nobody asks for ([`LiveTokens::sweep`]), and one that was pushed out of memory. The audit log has
//! what each revocation came to.

use super::tokens::{Outcome, Owner, Token, TokenKey, Tokens};
use super::{BackendFault, LongLived};
use async_trait::async_trait;
use custody_audit::entry::MintedToken;
use custody_audit::{AuditLog, Entry, Event};
use custody_base::credential::SecretOrigin;
use custody_base::outbound::StatusCode;
use custody_base::under_way;
use custody_ledger::{Change, Revocations, Target};
use lease::{Secret, UnixSeconds};
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The ledger's feed of revocations.
pub type Changes = Arc<dyn Revocations + Send + Sync>;

/// How long an issuer has to revoke a token. Nobody waits for it.
const REVOCATION_LIMIT: Duration = Duration::from_secs(10);

/// The issuer of a token, which may revoke it.
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
    audit: AuditLog,
    issuer: Weak<dyn Issuer>,
    /// Up to where the changes were read.
    cursor: Mutex<Option<String>>,
}

// === impl LiveTokens ===

impl LiveTokens {
    pub fn new(
        secrets: Arc<dyn LongLived>,
        changes: Changes,
        audit: AuditLog,
        issuer: Weak<dyn Issuer>,
    ) -> Self {
        let (tokens, cursor) = Default::default();
        Self { tokens, secrets, changes, audit, issuer, cursor }
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
            let token = self.tokens.get(key.clone(), now, &mint).await?;
            self.revoke_pushed_out();
            self.catch_up().await?;
            match self.ending(&token, &mut HashMap::new()).await? {
                None => return Ok(token),
                Some(why) => self.end(&key, &token, why),
            }
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
        self.revoke_pushed_out();
        let kept = self.tokens.all(now);
        if kept.is_empty() {
            return Ok(());
        }
        self.catch_up().await?;
        let mut asked = HashMap::new();
        for (key, token) in kept {
            if let Some(why) = self.ending(&token, &mut asked).await? {
                self.end(&key, &token, why);
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
            Change::Revoked { target: Target::Handle(handle), .. }
            | Change::Restored { target: Target::Handle(handle) } => {
                self.tokens.end(|owner| owner.handle == *handle);
            }
            Change::Revoked { target: Target::Actor(actor), .. }
            | Change::Restored { target: Target::Actor(actor) }
            | Change::TornDown { actor } => self.tokens.end(|owner| owner.actor == *actor),
            Change::Revoked { .. } | Change::Restored { .. } | Change::KillSwitch { .. } => {}
        }
    }

    /// Why nobody is to get it; `None` if it is live. `asked`: earlier answers of the store, so that
    /// many tokens of one secret ask once.
    async fn ending(
        &self,
        token: &Token,
        asked: &mut HashMap<SecretOrigin, bool>,
    ) -> Result<Option<Ending>, BackendFault> {
        if token.ended.load(Ordering::Acquire) {
            return Ok(Some(Ending::Owner));
        }
        for secret in &token.minted_from {
            let is_there = match asked.get(secret) {
                Some(known) => *known,
                None => {
                    let SecretOrigin { actor, handle, origin } = secret;
                    let is_there = self.secrets.origin(actor, handle).await? == Some(*origin);
                    asked.insert(secret.clone(), is_there);
                    is_there
                }
            };
            if !is_there {
                return Ok(Some(Ending::Secret));
            }
        }
        Ok(None)
    }

    /// Nobody gets it any more, and its issuer is asked to revoke it, once.
    fn end(&self, key: &TokenKey, token: &Arc<Token>, why: Ending) {
        if self.tokens.remove(key, token) {
            self.revoke(key.0.clone(), Arc::clone(token), why);
        }
    }

    fn revoke_pushed_out(&self) {
        for (owner, token) in self.tokens.take_pushed_out() {
            self.revoke(owner, token, Ending::PushedOut);
        }
    }

    /// On a task of its own, with an audit record of what it came to.
    fn revoke(&self, owner: Owner, token: Arc<Token>, why: Ending) {
        // Custody ends.
        let Some(issuer) = self.issuer.upgrade() else { return };
        let audit = self.audit.clone();
        under_way::spawn(async move {
            let failure = revoke(&*issuer, &token.secret).await.err();
            let (event, outcome) = match failure {
                None => (Event::TokenRevoked, custody_audit::Outcome::Allow),
                Some(_) => (Event::TokenNotRevoked, custody_audit::Outcome::Deny),
            };
            let mut entry = Entry::new(event, outcome);
            (entry.code, entry.reason) = (failure, Some(why.reason()));
            entry.token = Some(MintedToken {
                backend: issuer.name().to_owned(),
                actor: owner.actor.to_string(),
                handle: owner.handle.to_string(),
                expires_at: token.expires_at,
            });
            // The writer has logged why it could not be written.
            let _ = audit.append(entry).await;
        });
    }
}

/// Why a token ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// A secret that it was minted from was replaced or deleted.
    Secret,
    /// Its handle or actor was revoked, restored or torn down.
    Owner,
    /// Others took its place in memory.
    PushedOut,
}

// === impl Ending ===

impl Ending {
    /// A word for the audit log.
    const fn reason(self) -> &'static str {
        match self {
            Self::Secret => "secret_changed",
            Self::Owner => "owner_changed",
            Self::PushedOut => "pushed_out",
        }
    }
}

/// The meaning of an issuer's status for a token that it was to revoke.
///
/// # Errors
/// The issuer refused.
pub fn is_revoked(status: StatusCode) -> Result<bool, BackendFault> {
    match status.is_success() {
        true => Ok(true),
        false => Err(BackendFault::Denied(format!("status {}", status.as_u16()))),
    }
}

/// # Errors
/// Why the token is not revoked: a word for the audit log.
async fn revoke(issuer: &dyn Issuer, token: &Secret) -> Result<(), &'static str> {
    let backend = issuer.name();
    let (code, cause) = match timeout(REVOCATION_LIMIT, issuer.revoke(token)).await {
        Ok(Ok(true)) => return Ok(()),
        Ok(Ok(false)) => ("no_revocation_endpoint", "the issuer has no revocation endpoint".into()),
        Ok(Err(fault)) => (fault.code(), fault.to_string()),
        Err(_) => ("backend_down", "the issuer did not answer in time".into()),
    };
    tracing::warn!(
        backend,
        cause,
        "failed to revoke a token that ended before its time. Custody leases it no more; the issuer \
         accepts it until it expires"
    );
    Err(code)
}

#[cfg(test)]
mod tests;
