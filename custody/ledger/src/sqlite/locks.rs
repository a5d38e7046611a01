//! Locks, as rows that run out.

use super::SqliteLedger;
use super::writer::WriteOptions;
use crate::{LedgerFault, Locks};
use async_trait::async_trait;
use lease::UnixSeconds;
use rusqlite::OptionalExtension;

#[async_trait]
impl Locks for SqliteLedger {
    async fn lock(
        &self,
        name: &str,
        owner: &str,
        now: UnixSeconds,
        until: UnixSeconds,
    ) -> Result<bool, LedgerFault> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        let statement = "INSERT INTO held_lock (name, owner, held_until) VALUES (?1, ?2, ?4)
             ON CONFLICT (name) DO UPDATE
                SET owner = excluded.owner, held_until = excluded.held_until
                WHERE held_lock.owner = excluded.owner OR held_lock.held_until <= ?3";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let changed =
                    connection.prepare_cached(statement)?.execute((name, owner, now, until))?;
                Ok(changed > 0)
            })
            .await
    }

    async fn holder(&self, name: &str, now: UnixSeconds) -> Result<Option<String>, LedgerFault> {
        let name = name.to_owned();
        let statement = "SELECT owner FROM held_lock WHERE name = ?1 AND held_until > ?2";
        self.quick
            .ask(move |connection| {
                let mut statement = connection.prepare_cached(statement)?;
                Ok(statement.query_row((name, now), |row| row.get(0)).optional()?)
            })
            .await
    }

    async fn unlock(&self, name: &str, owner: &str) -> Result<(), LedgerFault> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        let statement = "DELETE FROM held_lock WHERE name = ?1 AND owner = ?2";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                connection.prepare_cached(statement)?.execute((name, owner))?;
                Ok(())
            })
            .await
    }
}
