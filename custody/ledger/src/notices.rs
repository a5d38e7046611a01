//! Notices of failed backends that wait for delivery.

use super::LedgerFault;
use async_trait::async_trait;
use lease::UnixSeconds;

/// One failure, without any text of a backend or a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// It identifies a repetition, for the receiver and for the ledger, which keeps the first.
    pub id: String,
    pub at: UnixSeconds,
    pub backend: String,
    pub actor: String,
    pub handle: String,
    /// `custody_backends::BackendFault::code`.
    pub code: String,
    /// Deliveries that failed so far.
    pub tries: u32,
    pub next_try: UnixSeconds,
}

#[async_trait]
pub trait Notices {
    async fn post(&self, notice: &Notice) -> Result<(), LedgerFault>;
    /// At most `limit` notices whose next try is due, and puts their next try off to `busy_until`,
    /// so that no other replica takes them meanwhile.
    async fn take_due(
        &self,
        now: UnixSeconds,
        busy_until: UnixSeconds,
        limit: u32,
    ) -> Result<Vec<Notice>, LedgerFault>;
    /// Deletes it: it is delivered, or custody gives it up.
    async fn delivered(&self, id: &str) -> Result<(), LedgerFault>;
    /// One more failed try.
    async fn put_off(&self, id: &str, next_try: UnixSeconds) -> Result<(), LedgerFault>;
    /// How many are there, due or not.
    async fn waiting(&self) -> Result<u64, LedgerFault>;
}
