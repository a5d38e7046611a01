//! The rows of the sealed store.

use super::SqliteLedger;
use super::envelope_rows::{find, select};
use super::revocations::tell;
use super::writer::WriteOptions;
use crate::codec;
use crate::{Envelopes, KeyRow, LedgerFault, Row, Target};
use async_trait::async_trait;
use custody_base::actor::Actor;
use lease::Handle;
use rusqlite::{OptionalExtension, params};

#[async_trait]
impl Envelopes for SqliteLedger {
    async fn next_version(&self) -> Result<u64, LedgerFault> {
        let statement = "UPDATE counter SET last_version = last_version + 1 RETURNING last_version";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                Ok(connection.prepare_cached(statement)?.query_row((), |row| row.get(0))?)
            })
            .await
    }

    async fn put(&self, row: &Row) -> Result<bool, LedgerFault> {
        let row = row.clone();
        let statement = "INSERT INTO credential
                (actor, handle, version, key, shape, envelope, stored_at, origin)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (actor, handle) DO UPDATE
                SET version = excluded.version, key = excluded.key, shape = excluded.shape,
                    envelope = excluded.envelope, stored_at = excluded.stored_at,
                    origin = excluded.origin
                WHERE credential.origin <= excluded.origin";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let Row { actor, handle, version, origin, key, shape, envelope, stored_at } = row;
                let (actor, handle) = (actor.as_str(), handle.as_str());
                let values =
                    params![actor, handle, version, key, shape, envelope, stored_at, origin];
                Ok(connection.prepare_cached(statement)?.execute(values)? > 0)
            })
            .await
    }

    async fn get(&self, actor: &Actor, handle: &Handle) -> Result<Option<Row>, LedgerFault> {
        let (actor, handle) = (actor.clone(), handle.clone());
        self.quick.ask(move |connection| find(connection, &actor, &handle)).await
    }

    async fn list(&self) -> Result<Vec<Row>, LedgerFault> {
        self.slow.ask(|connection| select(connection, "ORDER BY actor, handle", ())).await
    }

    async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, LedgerFault> {
        let (actor, handle) = (actor.clone(), handle.clone());
        let statement = "DELETE FROM credential WHERE actor = ?1 AND handle = ?2";
        self.writer
            .write(WriteOptions::SCRUBBED, move |connection| {
                let values = (actor.as_str(), handle.as_str());
                Ok(connection.prepare_cached(statement)?.execute(values)? > 0)
            })
            .await
    }

    async fn wipe(&self, actor: &Actor) -> Result<u64, LedgerFault> {
        let actor = actor.clone();
        let statement = "DELETE FROM credential WHERE actor = ?1";
        self.writer
            .write(WriteOptions::SCRUBBED | WriteOptions::NOTIFYING, move |connection| {
                let wiped = connection.prepare_cached(statement)?.execute((actor.as_str(),))?;
                tell(connection, codec::TORN_DOWN, Some(&Target::Actor(actor)), None)?;
                Ok(wiped as u64)
            })
            .await
    }

    async fn sealed_by_others(&self, key: &str, limit: u32) -> Result<Vec<Row>, LedgerFault> {
        let key = key.to_owned();
        let rest = "WHERE key <> ?1 ORDER BY version LIMIT ?2";
        self.slow.ask(move |connection| select(connection, rest, (key, limit))).await
    }

    async fn rewrap(&self, old: &Row, new: &Row) -> Result<bool, LedgerFault> {
        let (was, is) = ((old.version, old.key.clone()), new.clone());
        let statement = "UPDATE credential
             SET version = ?5, key = ?6, shape = ?7, envelope = ?8, stored_at = ?9
             WHERE actor = ?1 AND handle = ?2 AND version = ?3 AND key = ?4";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let Row { actor, handle, version, key, shape, envelope, stored_at, .. } = is;
                let (actor, handle) = (actor.as_str(), handle.as_str());
                let values =
                    params![actor, handle, was.0, was.1, version, key, shape, envelope, stored_at];
                Ok(connection.prepare_cached(statement)?.execute(values)? > 0)
            })
            .await
    }

    async fn keys(&self) -> Result<Vec<KeyRow>, LedgerFault> {
        let statement =
            "SELECT id, salt, key_check, created_at FROM seal_key ORDER BY created_at, number";
        self.slow
            .ask(move |connection| {
                let mut statement = connection.prepare_cached(statement)?;
                let rows = statement.query_map((), |row| {
                    let (id, salt) = (row.get(0)?, row.get(1)?);
                    Ok(KeyRow { id, salt, check: row.get(2)?, created_at: row.get(3)? })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn add_key(&self, key: &KeyRow) -> Result<bool, LedgerFault> {
        let KeyRow { id, salt, check, created_at } = key.clone();
        let statement = "INSERT INTO seal_key (id, salt, key_check, created_at)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let values = (id, salt, check, created_at);
                Ok(connection.prepare_cached(statement)?.execute(values)? > 0)
            })
            .await
    }

    async fn drop_key(&self, id: &str) -> Result<bool, LedgerFault> {
        let id = id.to_owned();
        let seals = "SELECT 1 FROM credential WHERE key = ?1 LIMIT 1";
        self.writer
            .write(WriteOptions::SCRUBBED, move |connection| {
                let left = connection.prepare_cached(seals)?.query_row((&id,), |_| Ok(()));
                if left.optional()?.is_some() {
                    return Ok(false);
                }
                connection.prepare_cached("DELETE FROM seal_key WHERE id = ?1")?.execute((id,))?;
                Ok(true)
            })
            .await
    }
}
