//! Reservations. The writing thread is alone in its transaction, so a look and a change are one.

use super::SqliteLedger;
use super::writer::WriteOptions;
use crate::{Attempt, Closed, LedgerFault, Opened, Reservation, Reservations, Settled};
use async_trait::async_trait;
use lease::UnixSeconds;
use rusqlite::{Connection, OptionalExtension, params};

#[async_trait]
impl Reservations for SqliteLedger {
    async fn open(&self, reservation: &Reservation) -> Result<Opened, LedgerFault> {
        let reservation = reservation.clone();
        self.writer
            .write(WriteOptions::DURABLE, move |connection| open(connection, &reservation))
            .await
    }

    async fn attempt(&self, key: &[u8; 32], holder: &str) -> Result<Attempt, LedgerFault> {
        let (key, holder) = (*key, holder.to_owned());
        self.writer
            .write(WriteOptions::DURABLE, move |connection| attempt(connection, &key, &holder))
            .await
    }

    async fn give_up(&self, key: &[u8; 32], holder: &str) -> Result<(), LedgerFault> {
        let (key, holder) = (*key, holder.to_owned());
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                leave(connection, &key, &holder, "idle")
            })
            .await
            .map(drop)
    }

    async fn settle(
        &self,
        lease_id: &str,
        outcome: Closed,
        failure_code: Option<&str>,
        now: UnixSeconds,
    ) -> Result<Settled, LedgerFault> {
        let (lease_id, code) = (lease_id.to_owned(), failure_code.map(str::to_owned));
        let closed = outcome.name();
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                settle(connection, &lease_id, (closed, code.as_deref()), now)
            })
            .await
    }
}

/// From held to another state; `false` if this holder does not hold it.
pub(super) fn leave(
    connection: &Connection,
    key: &[u8; 32],
    holder: &str,
    state: &str,
) -> Result<bool, LedgerFault> {
    let statement = "UPDATE reservation SET state = ?3
         WHERE key = ?1 AND holder = ?2 AND state = 'held'";
    Ok(connection.prepare_cached(statement)?.execute((key, holder, state))? > 0)
}

fn open(connection: &Connection, new: &Reservation) -> Result<Opened, LedgerFault> {
    let statement = "INSERT INTO reservation
            (key, lease_id, session, handle, destination, purpose, budget, state, holder,
             held_until, keep_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'held', ?8, ?9, ?10)
         ON CONFLICT (key) DO UPDATE
            SET state = 'held', holder = excluded.holder, held_until = excluded.held_until,
                keep_until = max(keep_until, excluded.keep_until)
            WHERE attempts < budget
              AND (state = 'idle' OR (state = 'held' AND reservation.held_until <= ?11))
         RETURNING lease_id, attempts";
    let values = params![
        new.key,
        new.lease_id,
        new.session,
        new.handle.as_str(),
        new.destination,
        new.purpose,
        new.budget,
        new.holder,
        new.held_until,
        new.keep_until,
        new.now,
    ];
    let held = connection
        .prepare_cached(statement)?
        .query_row(values, |row| Ok(Opened::Held { lease_id: row.get(0)?, attempts: row.get(1)? }));
    // The row is there and is not to be had.
    Ok(held.optional()?.unwrap_or(Opened::Replayed))
}

fn settle(
    connection: &Connection,
    lease_id: &str,
    (outcome, code): (&str, Option<&str>),
    now: UnixSeconds,
) -> Result<Settled, LedgerFault> {
    let state = "SELECT state FROM reservation WHERE lease_id = ?1";
    let close = "UPDATE reservation SET state = 'settled' WHERE lease_id = ?1";
    let write = "UPDATE lease SET outcome = ?2, failure_code = ?3, settled_at = ?4
         WHERE lease_id = ?1 AND settled_at IS NULL";
    let known = "SELECT 1 FROM lease WHERE lease_id = ?1";
    let state = connection.prepare_cached(state)?.query_row((lease_id,), |row| row.get(0));
    let state: Option<String> = state.optional()?;
    let write = || connection.prepare_cached(write)?.execute((lease_id, outcome, code, now));
    match state.as_deref() {
        Some("released") => {
            connection.prepare_cached(close)?.execute((lease_id,))?;
            // The row may have been forgotten; the operation is not.
            write()?;
            Ok(Settled::Now)
        }
        Some("settled") => Ok(Settled::Before),
        Some(_) => Ok(Settled::Unknown),
        // Bound to its session.
        None if write()? > 0 => Ok(Settled::Now),
        None if connection.prepare_cached(known)?.exists((lease_id,))? => Ok(Settled::Before),
        None => Ok(Settled::Unknown),
    }
}

fn attempt(connection: &Connection, key: &[u8; 32], holder: &str) -> Result<Attempt, LedgerFault> {
    let count = "UPDATE reservation SET attempts = attempts + 1
         WHERE key = ?1 AND holder = ?2 AND state = 'held' AND attempts < budget
         RETURNING attempts";
    let number = connection.prepare_cached(count)?.query_row((key, holder), |row| row.get(0));
    if let Some(number) = number.optional()? {
        return Ok(Attempt::Counted(number));
    }
    let held = "SELECT 1 FROM reservation WHERE key = ?1 AND holder = ?2 AND state = 'held'";
    let held = connection.prepare_cached(held)?.exists((key, holder))?;
    Ok(if held { Attempt::Exhausted } else { Attempt::Lost })
}
