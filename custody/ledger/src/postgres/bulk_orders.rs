//! Orders to end many leases that are under way.

use super::PostgresLedger;
use super::call::Values;
use super::columns::{get, number, unsigned};
use crate::{BulkOrder, BulkOrders, LedgerFault, Target};
use async_trait::async_trait;
use lease::UnixSeconds;
use tokio_postgres::Row;

#[async_trait]
impl BulkOrders for PostgresLedger {
    async fn keep_order(
        &self,
        order: &BulkOrder,
        busy_until: UnixSeconds,
    ) -> Result<(), LedgerFault> {
        let BulkOrder { target, revokes_each, by, action, ordered_at } = order;
        let (ordered_at, busy_until) = (number(*ordered_at), number(busy_until));
        let statement = "INSERT INTO bulk_order
                (kind, name, revokes_each, by_whom, action, ordered_at, busy_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (kind, name, revokes_each) DO UPDATE
                SET by_whom = excluded.by_whom,
                    action = excluded.action,
                    ordered_at = greatest(bulk_order.ordered_at, excluded.ordered_at),
                    busy_until = greatest(bulk_order.busy_until, excluded.busy_until)";
        let values: Values<'_> =
            &[&target.kind(), &target.name(), revokes_each, by, action, &ordered_at, &busy_until];
        let call = self.call().await?;
        call.execute(statement, values).await?;
        call.finish();
        Ok(())
    }

    async fn take_orders(
        &self,
        now: UnixSeconds,
        busy_until: UnixSeconds,
    ) -> Result<Vec<BulkOrder>, LedgerFault> {
        let statement = "UPDATE bulk_order SET busy_until = $2 WHERE busy_until <= $1
             RETURNING kind, name, revokes_each, by_whom, action, ordered_at";
        let call = self.call().await?;
        let rows = call.rows(statement, &[&number(now), &number(busy_until)]).await?;
        call.finish();
        rows.iter().map(read).collect()
    }

    async fn finish_order(&self, order: &BulkOrder) -> Result<(), LedgerFault> {
        let BulkOrder { target, revokes_each, ordered_at, .. } = order;
        let statement = "DELETE FROM bulk_order
             WHERE kind = $1 AND name = $2 AND revokes_each = $3 AND ordered_at <= $4";
        let call = self.call().await?;
        let values: Values<'_> =
            &[&target.kind(), &target.name(), revokes_each, &number(*ordered_at)];
        call.execute(statement, values).await?;
        call.finish();
        Ok(())
    }
}

fn read(row: &Row) -> Result<BulkOrder, LedgerFault> {
    Ok(BulkOrder {
        target: Target::read(get::<&str>(row, 0)?, get(row, 1)?)?,
        revokes_each: get(row, 2)?,
        by: get(row, 3)?,
        action: get(row, 4)?,
        ordered_at: unsigned(get(row, 5)?)?,
    })
}
