//! Locks, as rows that run out. Not PostgreSQL's own: those end with a connection.

use super::PostgresLedger;
use super::columns::{get, number};
use crate::{LedgerFault, Locks};
use async_trait::async_trait;
use lease::UnixSeconds;

#[async_trait]
impl Locks for PostgresLedger {
    async fn lock(
        &self,
        name: &str,
        owner: &str,
        now: UnixSeconds,
        until: UnixSeconds,
    ) -> Result<bool, LedgerFault> {
        let statement = "INSERT INTO held_lock (name, owner, held_until) VALUES ($1, $2, $4)
             ON CONFLICT (name) DO UPDATE
                SET owner = excluded.owner, held_until = excluded.held_until
                WHERE held_lock.owner = excluded.owner OR held_lock.held_until <= $3";
        let call = self.call().await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&name, &owner, &number(now), &number(until)];
        let changed = call.execute(statement, &values).await?;
        call.finish();
        Ok(changed > 0)
    }

    async fn holder(&self, name: &str, now: UnixSeconds) -> Result<Option<String>, LedgerFault> {
        let statement = "SELECT owner FROM held_lock WHERE name = $1 AND held_until > $2";
        let call = self.call().await?;
        let row = call.row(statement, &[&name, &number(now)]).await?;
        call.finish();
        row.map(|row| get(&row, 0)).transpose()
    }

    async fn unlock(&self, name: &str, owner: &str) -> Result<(), LedgerFault> {
        let call = self.call().await?;
        let statement = "DELETE FROM held_lock WHERE name = $1 AND owner = $2";
        call.execute(statement, &[&name, &owner]).await?;
        call.finish();
        Ok(())
    }
}
