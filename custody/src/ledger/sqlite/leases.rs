//! Leases that were given, and sessions that are awake.

use super::SqliteLedger;
use super::lease_pages;
use super::writer::Care;
use crate::ledger::words;
use crate::ledger::{FORGOTTEN_AT_ONCE, LeaseFilter, LeaseRow, Leases, LedgerFault, Recorded};
use crate::ledger::{LeasePage, LeasePlace, Target};
use async_trait::async_trait;
use lease::UnixSeconds;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

pub(super) const COLUMNS: &str = "lease_id, session, subject, actor, handle, destination, binding, \
                       issued_at, expires_at, backend, revocation, outcome, failure_code";

#[async_trait]
impl Leases for SqliteLedger {
    async fn record(&self, lease: &LeaseRow) -> Result<Recorded, LedgerFault> {
        let lease = lease.clone();
        self.writer.write(Care::NONE, move |connection| record(connection, &lease)).await
    }

    async fn leases(&self, filter: &LeaseFilter) -> Result<Vec<LeaseRow>, LedgerFault> {
        let (statement, values) = select(filter)?;
        self.slow
            .ask(move |connection| {
                let mut statement = connection.prepare_cached(&statement)?;
                let mut rows = statement.query(params_from_iter(values))?;
                let mut leases = Vec::new();
                while let Some(row) = rows.next()? {
                    leases.push(read(row)?);
                }
                Ok(leases)
            })
            .await
    }

    async fn leases_after(
        &self,
        target: &Target,
        after: LeasePlace,
    ) -> Result<LeasePage, LedgerFault> {
        let target = target.clone();
        self.slow.ask(move |connection| lease_pages::find(connection, &target, after)).await
    }

    async fn revoke_leases_after(
        &self,
        target: &Target,
        after: LeasePlace,
        now: UnixSeconds,
        by: &str,
    ) -> Result<LeasePage, LedgerFault> {
        let (target, by) = (target.clone(), by.to_owned());
        let statement = move |connection: &Connection| {
            lease_pages::revoke_found(connection, &target, after, now, &by)
        };
        self.writer.write(Care::TOLD, statement).await
    }

    async fn seen(
        &self,
        sessions: &[String],
        now: UnixSeconds,
        asleep: UnixSeconds,
    ) -> Result<(), LedgerFault> {
        let sessions = sessions.to_vec();
        let statement = "UPDATE session SET last_seen = ?2
             WHERE id = ?1 AND last_seen > ?3 AND last_seen < ?2";
        self.writer
            .write(Care::DURABLE, move |connection| {
                let mut statement = connection.prepare_cached(statement)?;
                for session in sessions {
                    statement.execute((session, now, asleep))?;
                }
                Ok(())
            })
            .await
    }

    async fn forget(&self, before: UnixSeconds) -> Result<u64, LedgerFault> {
        let statements = [
            "DELETE FROM lease WHERE number IN
                (SELECT number FROM lease WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
            "DELETE FROM reservation WHERE key IN
                (SELECT key FROM reservation WHERE keep_until < ?1 AND held_until < ?1
                 ORDER BY keep_until LIMIT ?2)",
            "DELETE FROM session WHERE last_seen < ?1 AND id IN
                (SELECT id FROM session WHERE check_after < ?1 ORDER BY check_after LIMIT ?2)",
            // These were in use since.
            "UPDATE session SET check_after = last_seen WHERE last_seen >= ?1 AND id IN
                (SELECT id FROM session WHERE check_after < ?1 ORDER BY check_after LIMIT ?2)",
            "DELETE FROM held_lock WHERE name IN
                (SELECT name FROM held_lock WHERE held_until < ?1 ORDER BY held_until LIMIT ?2)",
        ];
        self.writer
            .write(Care::DURABLE, move |connection| {
                let mut forgotten = 0;
                for statement in statements {
                    let mut statement = connection.prepare_cached(statement)?;
                    let some = statement.execute((before, FORGOTTEN_AT_ONCE))? as u64;
                    forgotten += some;
                    // The next part goes on here, and the other tables are not read for each part.
                    if some == u64::from(FORGOTTEN_AT_ONCE) {
                        break;
                    }
                }
                Ok(forgotten)
            })
            .await
    }
}

/// What forbids the lease, or `written`. A kill switch without a row counts as on.
const CHECK: &str = "SELECT CASE
        WHEN (SELECT is_on FROM kill_switch) IS NOT 0 THEN 'kill_switch'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'session' AND name = ?1) THEN 'session'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'handle' AND name = ?2) THEN 'handle'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'actor' AND name = ?3) THEN 'actor'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'lease' AND name = ?4) THEN 'lease'
        WHEN ?5 AND NOT EXISTS (SELECT 1 FROM credential WHERE actor = ?3 AND handle = ?2)
            THEN 'absent'
        ELSE 'written' END";

fn record(connection: &Connection, lease: &LeaseRow) -> Result<Recorded, LedgerFault> {
    let (handle, actor) = (lease.handle.as_str(), lease.actor.as_str());
    let values = (&lease.session, handle, actor, &lease.lease_id, lease.is_stored());
    let checked: String = connection.prepare_cached(CHECK)?.query_row(values, |row| row.get(0))?;
    match words::read_recorded(&checked)? {
        Recorded::Written => write(connection, lease)?,
        refused => return Ok(refused),
    }
    Ok(Recorded::Written)
}

fn write(connection: &Connection, lease: &LeaseRow) -> Result<(), LedgerFault> {
    let statement = "INSERT INTO lease
            (lease_id, session, subject, actor, handle, destination, binding, issued_at,
             expires_at, backend, revocation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (lease_id) DO UPDATE SET expires_at = excluded.expires_at,
             backend = excluded.backend, revocation = excluded.revocation";
    connection.prepare_cached(statement)?.execute(params![
        lease.lease_id,
        lease.session,
        lease.subject,
        lease.actor.as_str(),
        lease.handle.as_str(),
        lease.destination,
        words::binding(lease.binding),
        lease.issued_at,
        lease.expires_at,
        lease.backend,
        lease.revocation,
    ])?;
    let statement = "INSERT INTO session (id, last_seen, check_after) VALUES (?1, ?2, ?2)
         ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen
             WHERE session.last_seen < excluded.last_seen";
    connection.prepare_cached(statement)?.execute((&lease.session, lease.issued_at))?;
    Ok(())
}

/// Only conditions that restrict are in the text. SQLite searches the index of the first, or that of ends:
/// a `+` keeps a column from being searched by.
fn select(filter: &LeaseFilter) -> Result<(String, Vec<Value>), LedgerFault> {
    let LeaseFilter { session, lease_id, handle, actor, live_at, limit } = filter;
    let text = |text: &str| Value::Text(text.to_owned());
    // Every lease ends after 1970: the list is a range of an index, whatever is asked for.
    let live_at = live_at.map_or(Ok(-1), i64::try_from);
    let live_at = live_at.map_err(|_| LedgerFault::Row("live_at"))?;
    let conditions = [
        ("lease_id", lease_id.as_deref().map(text)),
        ("session", session.as_deref().map(text)),
        ("handle", handle.as_ref().map(|handle| text(handle.as_str()))),
        ("actor", actor.as_ref().map(|actor| text(actor.as_str()))),
    ];
    let mut statement = format!("SELECT {COLUMNS} FROM lease WHERE expires_at > ?");
    let mut values = vec![Value::Integer(live_at)];
    for (column, value) in conditions {
        let Some(value) = value else { continue };
        let searched = if values.len() == 1 { "" } else { "+" };
        statement.push_str(&format!(" AND {searched}{column} = ?"));
        values.push(value);
    }
    statement.push_str(" ORDER BY expires_at DESC, number DESC LIMIT ?");
    values.push(Value::Integer((*limit).into()));
    Ok((statement, values))
}

pub(super) fn read(row: &Row<'_>) -> Result<LeaseRow, LedgerFault> {
    Ok(LeaseRow {
        lease_id: row.get(0)?,
        session: row.get(1)?,
        subject: row.get(2)?,
        actor: words::read_actor(row.get(3)?)?,
        handle: words::read_handle(row.get(4)?)?,
        destination: row.get(5)?,
        binding: words::read_binding(&row.get::<_, String>(6)?)?,
        issued_at: row.get(7)?,
        expires_at: row.get(8)?,
        backend: row.get(9)?,
        revocation: row.get(10)?,
        outcome: words::read_told(row.get(11)?, row.get(12)?)?,
    })
}
