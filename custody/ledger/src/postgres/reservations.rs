//! Reservations. Each change is one statement, so that the database itself decides who comes first.

use super::PostgresLedger;
use super::columns::{get, number, unsigned};
use crate::{Attempt, Closed, LedgerFault, Opened, Reservation, Reservations, Settled};
use async_trait::async_trait;
use lease::UnixSeconds;
use tokio_postgres::types::ToSql;

#[async_trait]
impl Reservations for PostgresLedger {
    async fn open(&self, reservation: &Reservation) -> Result<Opened, LedgerFault> {
        let statement = "INSERT INTO reservation
                (key, lease_id, session, handle, destination, purpose, budget, state, holder,
                 held_until, keep_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'held', $8, $9, $10)
             ON CONFLICT (key) DO UPDATE
                SET state = 'held', holder = excluded.holder, held_until = excluded.held_until,
                    keep_until = greatest(reservation.keep_until, excluded.keep_until)
                WHERE reservation.attempts < reservation.budget
                  AND (reservation.state = 'idle'
                       OR (reservation.state = 'held' AND reservation.held_until <= $11))
             RETURNING lease_id, attempts";
        let new = reservation;
        let (held, kept) = (number(new.held_until), number(new.keep_until));
        let (budget, now) = (i64::from(new.budget), number(new.now));
        let call = self.call().await?;
        let row = call
            .row(
                statement,
                &[
                    &&new.key[..],
                    &new.lease_id,
                    &new.session,
                    &new.handle.as_str(),
                    &new.destination,
                    &new.purpose,
                    &budget,
                    &new.holder,
                    &held,
                    &kept,
                    &now,
                ],
            )
            .await?;
        call.finish();
        match row {
            Some(row) => {
                Ok(Opened::Held { lease_id: get(&row, 0)?, attempts: unsigned(get(&row, 1)?)? })
            }
            // The row is there and is not to be had.
            None => Ok(Opened::Replayed),
        }
    }

    async fn attempt(&self, key: &[u8; 32], holder: &str) -> Result<Attempt, LedgerFault> {
        let count = "UPDATE reservation SET attempts = attempts + 1
             WHERE key = $1 AND holder = $2 AND state = 'held' AND attempts < budget
             RETURNING attempts";
        let held = "SELECT 1 FROM reservation WHERE key = $1 AND holder = $2 AND state = 'held'";
        let key = &key[..];
        let call = self.call().await?;
        let attempt = match call.row(count, &[&key, &holder]).await? {
            Some(row) => Attempt::Counted(unsigned(get(&row, 0)?)?),
            None if call.row(held, &[&key, &holder]).await?.is_some() => Attempt::Exhausted,
            None => Attempt::Lost,
        };
        call.finish();
        Ok(attempt)
    }

    async fn give_up(&self, key: &[u8; 32], holder: &str) -> Result<(), LedgerFault> {
        let statement = "UPDATE reservation SET state = 'idle'
             WHERE key = $1 AND holder = $2 AND state = 'held'";
        let call = self.call().await?;
        call.execute(statement, &[&&key[..], &holder]).await?;
        call.finish();
        Ok(())
    }

    async fn settle(
        &self,
        lease_id: &str,
        outcome: Closed,
        failure_code: Option<&str>,
        now: UnixSeconds,
    ) -> Result<Settled, LedgerFault> {
        // A lease without a reservation is bound to its session.
        let statement = "WITH operation AS (SELECT 1 FROM reservation WHERE lease_id = $1),
                closed AS (
                    UPDATE reservation SET state = 'settled'
                    WHERE lease_id = $1 AND state = 'released' RETURNING 1),
                written AS (
                    UPDATE lease SET outcome = $2, failure_code = $3, settled_at = $4
                    WHERE lease_id = $1 AND settled_at IS NULL
                      AND (EXISTS (SELECT 1 FROM closed) OR NOT EXISTS (SELECT 1 FROM operation))
                    RETURNING 1)
             SELECT 1 FROM closed UNION ALL SELECT 1 FROM written";
        let before = "SELECT 1 FROM reservation WHERE lease_id = $1 AND state = 'settled'
             UNION ALL SELECT 1 FROM lease WHERE lease_id = $1 AND settled_at IS NOT NULL";
        let (outcome, now) = (outcome.name(), number(now));
        let call = self.call().await?;
        let values: [&(dyn ToSql + Sync); 4] = [&lease_id, &outcome, &failure_code, &now];
        let settled = if !call.rows(statement, &values).await?.is_empty() {
            Settled::Now
        } else if !call.rows(before, &[&lease_id]).await?.is_empty() {
            Settled::Before
        } else {
            Settled::Unknown
        };
        call.finish();
        Ok(settled)
    }
}
