//! The rows of the sealed store.

use super::PostgresLedger;
use super::call::Values;
use super::columns::{get, number, unsigned};
use super::envelope_rows::{COLUMNS, read};
use super::revocations::{commit, tell};
use crate::codec;
use crate::{Envelopes, KeyRow, LedgerFault, Row, Target};
use async_trait::async_trait;
use custody_base::actor::Actor;
use lease::Handle;

#[async_trait]
impl Envelopes for PostgresLedger {
    async fn next_version(&self) -> Result<u64, LedgerFault> {
        let statement = "UPDATE counter SET last_version = last_version + 1 RETURNING last_version";
        let call = self.call().await?;
        let row = call.row(statement, &[]).await?.ok_or(LedgerFault::Row("the counter"))?;
        call.finish();
        unsigned(get(&row, 0)?)
    }

    async fn put(&self, row: &Row) -> Result<bool, LedgerFault> {
        let Row { actor, handle, version, origin, key, shape, envelope, stored_at } = row;
        let (actor, handle) = (actor.as_str(), handle.as_str());
        let (version, stored_at) = (number(*version), number(*stored_at));
        let origin = number(*origin);
        let statement = "INSERT INTO credential
                (actor, handle, version, key, shape, envelope, stored_at, origin)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (actor, handle) DO UPDATE
                SET version = excluded.version, key = excluded.key, shape = excluded.shape,
                    envelope = excluded.envelope, stored_at = excluded.stored_at,
                    origin = excluded.origin
                WHERE credential.origin <= excluded.origin";
        let values: Values<'_> =
            &[&actor, &handle, &version, key, shape, envelope, &stored_at, &origin];
        Ok(self.replace(statement, values).await? > 0)
    }

    async fn get(&self, actor: &Actor, handle: &Handle) -> Result<Option<Row>, LedgerFault> {
        let rest = "WHERE actor = $1 AND handle = $2";
        Ok(self.select(rest, &[&actor.as_str(), &handle.as_str()]).await?.pop())
    }

    async fn list(&self) -> Result<Vec<Row>, LedgerFault> {
        // By bytes, whatever the language of the database.
        self.select("ORDER BY actor COLLATE \"C\", handle COLLATE \"C\"", &[]).await
    }

    async fn delete(&self, actor: &Actor, handle: &Handle) -> Result<bool, LedgerFault> {
        let statement = "DELETE FROM credential WHERE actor = $1 AND handle = $2";
        Ok(self.replace(statement, &[&actor.as_str(), &handle.as_str()]).await? > 0)
    }

    async fn wipe(&self, actor: &Actor) -> Result<u64, LedgerFault> {
        let statement = "DELETE FROM credential WHERE actor = $1";
        let call = self.change_feed().await?;
        let wiped = call.execute(statement, &[&actor.as_str()]).await?;
        tell(&call, codec::TORN_DOWN, Some(&Target::Actor(actor.clone())), None).await?;
        commit(call).await?;
        Ok(wiped)
    }

    async fn sealed_by_others(&self, key: &str, limit: u32) -> Result<Vec<Row>, LedgerFault> {
        let rest = "WHERE key <> $1 ORDER BY version LIMIT $2";
        self.select(rest, &[&key, &i64::from(limit)]).await
    }

    async fn rewrap(&self, old: &Row, new: &Row) -> Result<bool, LedgerFault> {
        let Row { actor, handle, version, key, shape, envelope, stored_at, .. } = new;
        let (actor, handle, was) = (actor.as_str(), handle.as_str(), number(old.version));
        let (version, stored_at) = (number(*version), number(*stored_at));
        let statement = "UPDATE credential
             SET version = $5, key = $6, shape = $7, envelope = $8, stored_at = $9
             WHERE actor = $1 AND handle = $2 AND version = $3 AND key = $4";
        let values: Values<'_> =
            &[&actor, &handle, &was, &old.key, &version, key, shape, envelope, &stored_at];
        Ok(self.change(statement, values).await? > 0)
    }

    async fn keys(&self) -> Result<Vec<KeyRow>, LedgerFault> {
        let statement =
            "SELECT id, salt, key_check, created_at FROM seal_key ORDER BY created_at, number";
        let call = self.call().await?;
        let rows = call.rows(statement, &[]).await?;
        call.finish();
        let read = |row: &tokio_postgres::Row| {
            let created_at = unsigned(get(row, 3)?)?;
            Ok(KeyRow { id: get(row, 0)?, salt: get(row, 1)?, check: get(row, 2)?, created_at })
        };
        rows.iter().map(read).collect()
    }

    async fn add_key(&self, key: &KeyRow) -> Result<bool, LedgerFault> {
        let KeyRow { id, salt, check, created_at } = key;
        let statement = "INSERT INTO seal_key (id, salt, key_check, created_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
        Ok(self.change(statement, &[id, salt, check, &number(*created_at)]).await? > 0)
    }

    async fn drop_key(&self, id: &str) -> Result<bool, LedgerFault> {
        // The lock on the key's row makes a put of another replica, which refers to it, wait.
        let lock = "SELECT 1 FROM seal_key WHERE id = $1 FOR UPDATE";
        let seals = "SELECT 1 FROM credential WHERE key = $1 LIMIT 1";
        let call = self.call().await?;
        call.plain("BEGIN").await?;
        call.row(lock, &[&id]).await?;
        let unused = call.row(seals, &[&id]).await?.is_none();
        if unused {
            call.execute("DELETE FROM seal_key WHERE id = $1", &[&id]).await?;
        }
        call.plain("COMMIT").await?;
        call.finish();
        Ok(unused)
    }
}

impl PostgresLedger {
    /// Leases that are being recorded are waited for, and those after them find the change.
    async fn replace(&self, statement: &str, values: Values<'_>) -> Result<u64, LedgerFault> {
        let call = self.change_feed().await?;
        let changed = call.execute(statement, values).await?;
        commit(call).await?;
        Ok(changed)
    }

    async fn change(&self, statement: &str, values: Values<'_>) -> Result<u64, LedgerFault> {
        let call = self.call().await?;
        let changed = call.execute(statement, values).await?;
        call.finish();
        Ok(changed)
    }

    async fn select(&self, rest: &str, values: Values<'_>) -> Result<Vec<Row>, LedgerFault> {
        let statement = format!("SELECT {COLUMNS} FROM credential {rest}");
        let call = self.call().await?;
        let rows = call.rows(&statement, values).await?;
        call.finish();
        rows.iter().map(|row| read(row, 0)).collect()
    }
}
