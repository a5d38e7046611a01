//! Re-wrapping: every value sealed under the active key, one row at a time.
//!
//! A row is replaced only if it is still as it was read (version and key), so a `put` beside it wins.
//! At every moment each row names the key that opens it; a rotation that is cut off leaves some rows
//! under the old key and some under the new, all of them readable, and the next run does the rest. The
//! ledger deletes an old key only when it seals nothing any more.

use super::{SealedStore, StoreFault};
use custody_ledger::Row;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rows that are read at a time.
const BATCH: u32 = 50;
/// Batches in a row in which others changed every single value before we could.
const PATIENCE: u32 = 10;

/// The result of a rotation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotated {
    /// The key that seals everything now.
    pub key: String,
    /// Values that were sealed again.
    pub rewrapped: u64,
    /// Keys that seal nothing any more. Their files are not needed again.
    pub dropped: Vec<String>,
    /// Keys that still seal something: another custody sealed with them meanwhile.
    pub kept: Vec<String>,
}

// === impl SealedStore ===

impl SealedStore {
    /// Reads the files of the keys again, and seals every value of another key under the active one.
    ///
    /// # Errors
    /// A value does not open (it is named), or the ledger or signer is not there. Finished work stays;
    /// run it again.
    pub async fn rotate(&self) -> Result<Rotated, StoreFault> {
        let active = self.keyring.renewed().await?;
        let mut rotated = Rotated { key: active.key_id().to_owned(), ..Rotated::default() };
        let mut in_vain = 0;
        loop {
            let rows = self.ledger.sealed_by_others(&rotated.key, BATCH).await?;
            if rows.is_empty() {
                break;
            }
            let before = rotated.rewrapped;
            for row in &rows {
                rotated.rewrapped += u64::from(self.rewrap(row, active.as_ref()).await?);
            }
            in_vain = if rotated.rewrapped == before { in_vain + 1 } else { 0 };
            if in_vain >= PATIENCE {
                return Err(StoreFault::Busy);
            }
        }
        for row in self.ledger.keys().await? {
            if row.id != rotated.key {
                let gone = self.ledger.drop_key(&row.id).await?;
                let list = if gone { &mut rotated.dropped } else { &mut rotated.kept };
                list.push(row.id);
            }
        }
        Ok(rotated)
    }

    async fn rewrap(&self, row: &Row, active: &dyn super::Signer) -> Result<bool, StoreFault> {
        let secret = self.unseal(row).await.map_err(|fault| StoreFault::Stuck {
            actor: row.actor.clone(),
            handle: row.handle.clone(),
            fault: Box::new(fault),
        })?;
        let new = Row { key: active.key_id().to_owned(), envelope: Vec::new(), ..row.clone() };
        let envelope = active.seal(&row.actor, &super::place_of(&new).aad(), &secret).await?;
        Ok(self.ledger.rewrap(row, &Row { envelope, ..new }).await?)
    }
}
