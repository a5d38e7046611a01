//! Notices that wait to be delivered.

use super::PostgresLedger;
use super::columns::{get, number, unsigned};
use crate::{LedgerFault, Notice, Notices};
use async_trait::async_trait;
use lease::UnixSeconds;
use tokio_postgres::Row;

#[async_trait]
impl Notices for PostgresLedger {
    async fn post(&self, notice: &Notice) -> Result<(), LedgerFault> {
        let Notice { id, at, backend, actor, handle, code, tries, next_try } = notice;
        let (at, tries, next_try) = (number(*at), i64::from(*tries), number(*next_try));
        let statement = "INSERT INTO notice
                (id, at, backend, actor, handle, code, tries, next_try)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING";
        let call = self.call().await?;
        call.execute(statement, &[id, &at, backend, actor, handle, code, &tries, &next_try])
            .await?;
        call.finish();
        Ok(())
    }

    async fn take_due(
        &self,
        now: UnixSeconds,
        busy_until: UnixSeconds,
        limit: u32,
    ) -> Result<Vec<Notice>, LedgerFault> {
        // Another replica that takes some at this moment gets others.
        let statement = "UPDATE notice SET next_try = $2
             WHERE id IN (SELECT id FROM notice WHERE next_try <= $1 ORDER BY next_try
                          LIMIT $3 FOR UPDATE SKIP LOCKED)
             RETURNING id, at, backend, actor, handle, code, tries, next_try";
        let call = self.call().await?;
        let (now, busy_until) = (number(now), number(busy_until));
        let rows = call.rows(statement, &[&now, &busy_until, &i64::from(limit)]).await?;
        call.finish();
        rows.iter().map(read).collect()
    }

    async fn delivered(&self, id: &str) -> Result<(), LedgerFault> {
        let call = self.call().await?;
        call.execute("DELETE FROM notice WHERE id = $1", &[&id]).await?;
        call.finish();
        Ok(())
    }

    async fn put_off(&self, id: &str, next_try: UnixSeconds) -> Result<(), LedgerFault> {
        let call = self.call().await?;
        let statement = "UPDATE notice SET tries = tries + 1, next_try = $2 WHERE id = $1";
        call.execute(statement, &[&id, &number(next_try)]).await?;
        call.finish();
        Ok(())
    }

    async fn waiting(&self) -> Result<u64, LedgerFault> {
        let call = self.call().await?;
        let row = call.row("SELECT count(*) FROM notice", &[]).await?;
        call.finish();
        unsigned(get(&row.ok_or(LedgerFault::Row("the count of notices"))?, 0)?)
    }
}

fn read(row: &Row) -> Result<Notice, LedgerFault> {
    Ok(Notice {
        id: get(row, 0)?,
        at: unsigned(get(row, 1)?)?,
        backend: get(row, 2)?,
        actor: get(row, 3)?,
        handle: get(row, 4)?,
        code: get(row, 5)?,
        tries: unsigned(get(row, 6)?)?,
        next_try: unsigned(get(row, 7)?)?,
    })
}
