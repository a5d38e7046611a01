//! Locks for work that only one replica may do at a time, such as spending a refresh token.

use super::LedgerFault;
use async_trait::async_trait;
use lease::UnixSeconds;

#[async_trait]
pub trait Locks {
    /// Takes the lock until a time, if nobody holds it, or it has run out, or it is this owner's
    /// already. `false`: somebody else holds it.
    async fn lock(
        &self,
        name: &str,
        owner: &str,
        now: UnixSeconds,
        until: UnixSeconds,
    ) -> Result<bool, LedgerFault>;
    /// The owner; `None` also if it has run out.
    async fn holder(&self, name: &str, now: UnixSeconds) -> Result<Option<String>, LedgerFault>;
    /// Gives it back; of somebody else's lock nothing happens.
    async fn unlock(&self, name: &str, owner: &str) -> Result<(), LedgerFault>;
}
