//! Orders to end many leases that are under way.

use super::SqliteLedger;
use super::writer::WriteOptions;
use crate::{BulkOrder, BulkOrders, LedgerFault, Target};
use async_trait::async_trait;
use lease::UnixSeconds;
use rusqlite::Connection;

#[async_trait]
impl BulkOrders for SqliteLedger {
    async fn keep_order(
        &self,
        order: &BulkOrder,
        busy_until: UnixSeconds,
    ) -> Result<(), LedgerFault> {
        let BulkOrder { target, revokes_each, by, action, ordered_at } = order.clone();
        let statement = "INSERT INTO bulk_order
                (kind, name, revokes_each, by_whom, action, ordered_at, busy_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (kind, name, revokes_each) DO UPDATE
                SET by_whom = excluded.by_whom,
                    action = excluded.action,
                    ordered_at = max(bulk_order.ordered_at, excluded.ordered_at),
                    busy_until = max(bulk_order.busy_until, excluded.busy_until)";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let (kind, name) = (target.kind(), target.name());
                let values = (kind, name, revokes_each, by, action, ordered_at, busy_until);
                connection.prepare_cached(statement)?.execute(values)?;
                Ok(())
            })
            .await
    }

    async fn take_orders(
        &self,
        now: UnixSeconds,
        busy_until: UnixSeconds,
    ) -> Result<Vec<BulkOrder>, LedgerFault> {
        let statement = "UPDATE bulk_order SET busy_until = ?2 WHERE busy_until <= ?1
             RETURNING kind, name, revokes_each, by_whom, action, ordered_at";
        let take = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(statement)?;
            let mut rows = statement.query((now, busy_until))?;
            let mut orders = Vec::new();
            while let Some(row) = rows.next()? {
                let target = Target::read(&row.get::<_, String>(0)?, row.get(1)?)?;
                orders.push(BulkOrder {
                    target,
                    revokes_each: row.get(2)?,
                    by: row.get(3)?,
                    action: row.get(4)?,
                    ordered_at: row.get(5)?,
                });
            }
            Ok(orders)
        };
        self.writer.write(WriteOptions::DURABLE, take).await
    }

    async fn finish_order(&self, order: &BulkOrder) -> Result<(), LedgerFault> {
        let BulkOrder { target, revokes_each, ordered_at, .. } = order.clone();
        let statement = "DELETE FROM bulk_order
             WHERE kind = ?1 AND name = ?2 AND revokes_each = ?3 AND ordered_at <= ?4";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let values = (target.kind(), target.name(), revokes_each, ordered_at);
                connection.prepare_cached(statement)?.execute(values)?;
                Ok(())
            })
            .await
    }
}
