//! The rows of the sealed store. The content of an envelope is not the ledger's concern.

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
    /// The version that somebody put. A rotation or a new sealing by custody keeps it. So it
    /// distinguishes a replaced secret from the same one that custody carried on.
    pub origin: u64,
    /// Which key sealed it ([`KeyRow::id`]).
    pub key: String,
    /// The readable part of it, as JSON ([`custody_base::credential::Shape`]).
    pub shape: String,
    pub envelope: Vec<u8>,
    pub stored_at: UnixSeconds,
}

/// A root key that seals, or sealed, values of this store. The key itself is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// A short name that discloses nothing about the key.
    pub id: String,
    /// Random; goes into the derivation, so that two stores with one root key have unlike keys.
    pub salt: Vec<u8>,
    /// It distinguishes the right key from a wrong one.
    pub check: Vec<u8>,
    pub created_at: UnixSeconds,
}

#[async_trait]
pub trait Envelopes: Send + Sync + 'static {
    /// A version nobody has had.
    async fn next_version(&self) -> Result<u64, LedgerFault>;
    /// Stores or replaces the row of this actor and handle. A row of a higher origin stays, and the
    /// answer is `false`: of two puts at once the later version wins, in any order of arrival. A put
    /// always wins over a rotation of what it replaces.
    async fn put(&self, row: &Row) -> Result<bool, LedgerFault>;
    async fn get(&self, actor: &Actor, handle: &Handle) -> Result<Option<Row>, LedgerFault>;
    /// All rows, in order of actor and handle.
    async fn list(&self) -> Result<Vec<Row>, LedgerFault>;
    /// `false` if there was none.
    async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, LedgerFault>;
    /// Deletes everything this actor owns, and publishes that in the feed, even if that was nothing;
    /// how many.
    async fn wipe(&self, actor: &Actor) -> Result<u64, LedgerFault>;
    /// At most `limit` rows that another key than this one sealed.
    async fn sealed_by_others(&self, key: &str, limit: u32) -> Result<Vec<Row>, LedgerFault>;
    /// Puts a row that carries the old one on where that is: its value sealed again, or rotated. The
    /// origin stays. `false` if the row is not there any more as `old` has it (version and key), and
    /// then nothing changed.
    async fn rewrap(&self, old: &Row, new: &Row) -> Result<bool, LedgerFault>;
    /// Every key known, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRow>, LedgerFault>;
    /// Adds a key; `false` if one of this id is there, and then nothing changed.
    async fn add_key(&self, key: &KeyRow) -> Result<bool, LedgerFault>;
    /// Deletes a key that seals no row; `false` if one is left.
    async fn drop_key(&self, id: &str) -> Result<bool, LedgerFault>;
}
