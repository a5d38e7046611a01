//! Leases that were given, and sessions that are awake.

use super::SqliteLedger;
use super::lease_pages;
use super::lease_rows::{COLUMNS, read};
use super::reservations::leave;
use super::writer::WriteOptions;
use crate::codec;
use crate::{FORGOTTEN_AT_ONCE, LeaseFilter, LeaseRow, Leases, LedgerFault, Recorded};
use crate::{LeasePage, LeasePlace, NewLease, Target};
use async_trait::async_trait;
use custody_base::credential::SecretOrigin;
use lease::UnixSeconds;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

#[async_trait]
impl Leases for SqliteLedger {
    async fn record(&self, lease: &NewLease<'_>) -> Result<Recorded, LedgerFault> {
        let NewLease { row, as_of, made_from, hold } = *lease;
        let (row, made_from) = (row.clone(), made_from.to_vec());
        let hold = hold.map(|(key, holder)| (*key, holder.to_owned()));
        let options = if hold.is_some() { WriteOptions::DURABLE } else { WriteOptions::NONE };
        let record = move |connection: &Connection| {
            let hold = hold.as_ref().map(|(key, holder)| (key, holder.as_str()));
            record(connection, NewLease { row: &row, as_of, made_from: &made_from, hold })
        };
        self.writer.write(options, record).await
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
        issued_until: UnixSeconds,
        (now, by): (UnixSeconds, &str),
    ) -> Result<LeasePage, LedgerFault> {
        let (target, by) = (target.clone(), by.to_owned());
        let statement = move |connection: &Connection| {
            lease_pages::revoke_found(connection, &target, after, issued_until, (now, &by))
        };
        self.writer.write(WriteOptions::NOTIFYING, statement).await
    }

    async fn mark_seen(
        &self,
        sessions: &[String],
        now: UnixSeconds,
        idle_since: UnixSeconds,
    ) -> Result<(), LedgerFault> {
        let sessions = sessions.to_vec();
        let statement = "UPDATE session SET last_seen = ?2
             WHERE id = ?1 AND last_seen > ?3 AND last_seen < ?2";
        self.writer
            .write(WriteOptions::DURABLE, move |connection| {
                let mut statement = connection.prepare_cached(statement)?;
                for session in sessions {
                    statement.execute((session, now, idle_since))?;
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
            .write(WriteOptions::DURABLE, move |connection| {
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

/// The blocker of the lease, or `written`. A kill switch without a row counts as on. The changes since
/// its admission may have been deleted, if none of before is there.
const CHECK: &str = "SELECT CASE
        WHEN (SELECT is_on FROM kill_switch) IS NOT 0 THEN 'kill_switch'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'session' AND name = ?1) THEN 'session'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'handle' AND name = ?2) THEN 'handle'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'actor' AND name = ?3) THEN 'actor'
        WHEN EXISTS (SELECT 1 FROM revocation WHERE kind = 'lease' AND name = ?4) THEN 'lease'
        WHEN EXISTS (SELECT 1 FROM change WHERE kind = 'handle' AND name = ?2 AND sequence > ?5)
            THEN 'stale'
        WHEN EXISTS (SELECT 1 FROM change WHERE kind = 'actor' AND name = ?3 AND sequence > ?5)
            THEN 'stale'
        WHEN NOT EXISTS (SELECT 1 FROM change WHERE sequence <= ?5) THEN 'stale'
        ELSE 'written' END";

fn record(connection: &Connection, lease: NewLease<'_>) -> Result<Recorded, LedgerFault> {
    let NewLease { row, as_of, made_from, hold } = lease;
    let (handle, actor) = (row.handle.as_str(), row.actor.as_str());
    let values = (&row.session, handle, actor, &row.lease_id, as_of);
    let checked: String = connection.prepare_cached(CHECK)?.query_row(values, |row| row.get(0))?;
    let recorded = codec::read_recorded(&checked)?;
    if recorded != Recorded::Written {
        return Ok(recorded);
    }
    for secret in made_from {
        if !is_there(connection, secret)? {
            return Ok(Recorded::Stale);
        }
    }
    if let Some((key, holder)) = hold
        && !leave(connection, key, holder, "released")?
    {
        return Ok(Recorded::Lost);
    }
    write(connection, row)?;
    Ok(Recorded::Written)
}

/// Nobody replaced or deleted it.
fn is_there(connection: &Connection, secret: &SecretOrigin) -> Result<bool, LedgerFault> {
    let SecretOrigin { actor, handle, origin } = secret;
    let statement = "SELECT 1 FROM credential WHERE actor = ?1 AND handle = ?2 AND origin = ?3";
    let values = (actor.as_str(), handle.as_str(), origin);
    Ok(connection.prepare_cached(statement)?.exists(values)?)
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
        codec::binding(lease.binding),
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
