//! Notices that wait to be delivered.

use super::SqliteLedger;
use super::writer::WriteOptions;
use crate::{LedgerFault, Notice, Notices};
use async_trait::async_trait;
use lease::UnixSeconds;
use rusqlite::{Connection, Row};

#[async_trait]
impl Notices for SqliteLedger {
    async fn post(&self, notice: &Notice) -> Result<(), LedgerFault> {
        let Notice { id, at, backend, actor, handle, code, tries, next_try } = notice.clone();
        let statement = "INSERT INTO notice
                (id, at, backend, actor, handle, code, tries, next_try)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let values = (id, at, backend, actor, handle, code, tries, next_try);
                connection.prepare_cached(statement)?.execute(values)?;
                Ok(())
            })
            .await
    }

    async fn take_due(
        &self,
        now: UnixSeconds,
        busy_until: UnixSeconds,
        limit: u32,
    ) -> Result<Vec<Notice>, LedgerFault> {
        let statement = "UPDATE notice SET next_try = ?2
             WHERE id IN (SELECT id FROM notice WHERE next_try <= ?1 ORDER BY next_try LIMIT ?3)
             RETURNING id, at, backend, actor, handle, code, tries, next_try";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let mut statement = connection.prepare_cached(statement)?;
                let rows = statement.query_map((now, busy_until, limit), read)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn delivered(&self, id: &str) -> Result<(), LedgerFault> {
        let id = id.to_owned();
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                connection.prepare_cached("DELETE FROM notice WHERE id = ?1")?.execute((id,))?;
                Ok(())
            })
            .await
    }

    async fn put_off(&self, id: &str, next_try: UnixSeconds) -> Result<(), LedgerFault> {
        let id = id.to_owned();
        let statement = "UPDATE notice SET tries = tries + 1, next_try = ?2 WHERE id = ?1";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                connection.prepare_cached(statement)?.execute((id, next_try))?;
                Ok(())
            })
            .await
    }

    async fn waiting(&self) -> Result<u64, LedgerFault> {
        let statement = "SELECT count(*) FROM notice";
        let count = |connection: &Connection| {
            Ok(connection.prepare_cached(statement)?.query_row((), |row| row.get(0))?)
        };
        self.slow.ask(count).await
    }
}

fn read(row: &Row<'_>) -> Result<Notice, rusqlite::Error> {
    Ok(Notice {
        id: row.get(0)?,
        at: row.get(1)?,
        backend: row.get(2)?,
        actor: row.get(3)?,
        handle: row.get(4)?,
        code: row.get(5)?,
        tries: row.get(6)?,
        next_try: row.get(7)?,
    })
}
