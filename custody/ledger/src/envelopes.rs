//! The rows of the sealed store. What is in an envelope is not the ledger's concern.

use super::LedgerFault;
use async_trait::async_trait;
use custody_base::actor::Actor;
use lease::{Handle, UnixSeconds};

/// One sealed credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub actor: Actor,
    pub handle: Handle,
    /// Grows with every put into this store; never used twice.
    pub version: u64,
    /// The version that somebody put. What custody itself rotates or seals anew keeps it, so it tells
    /// a secret that was replaced from one that was carried on.
    pub origin: u64,
    /// Which key sealed it ([`KeyRow::id`]).
    pub key: String,
    /// What may be read of it, as JSON ([`custody_base::credential::Shape`]).
    pub shape: String,
    pub envelope: Vec<u8>,
    pub stored_at: UnixSeconds,
}

/// A root key that seals, or sealed, values of this store. The key itself is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// A short name that says nothing about the key.
    pub id: String,
    /// Random; goes into the derivation, so that two stores with one root key have unlike keys.
    pub salt: Vec<u8>,
    /// By which the right key is told from a wrong one.
    pub check: Vec<u8>,
    pub created_at: UnixSeconds,
}

#[async_trait]
pub trait Envelopes: Send + Sync + 'static {
    /// A version nobody has had.
    async fn next_version(&self) -> Result<u64, LedgerFault>;
    /// Stores or replaces the row of this actor and handle. A row of a higher origin stays, and the
    /// answer is `false`: of two puts at once the later version wins, whoever arrives first. A put
    /// always wins over a rotation of what it replaces.
    async fn put(&self, row: &Row) -> Result<bool, LedgerFault>;
    async fn get(&self, actor: &Actor, handle: &Handle) -> Result<Option<Row>, LedgerFault>;
    /// All rows, in order of actor and handle.
    async fn list(&self) -> Result<Vec<Row>, LedgerFault>;
    /// `false` if there was none.
    async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, LedgerFault>;
    /// Deletes everything this actor owns, and says so in the feed, also if that was nothing; how many.
    async fn wipe(&self, actor: &Actor) -> Result<u64, LedgerFault>;
    /// At most `limit` rows that another key than this one sealed.
    async fn sealed_by_others(&self, key: &str, limit: u32) -> Result<Vec<Row>, LedgerFault>;
    /// Puts a row that carries the old one on where that is: its value sealed anew, or rotated. The
    /// origin stays. `false` if the row is not there any
    /// more as `old` has it (version and key), and then nothing changed.
    async fn rewrap(&self, old: &Row, new: &Row) -> Result<bool, LedgerFault>;
    /// Every key known, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRow>, LedgerFault>;
    /// Adds a key; `false` if one of this id is there, and then nothing changed.
    async fn add_key(&self, key: &KeyRow) -> Result<bool, LedgerFault>;
    /// Forgets a key that seals no row; `false` if one is left.
    async fn drop_key(&self, id: &str) -> Result<bool, LedgerFault>;
}
