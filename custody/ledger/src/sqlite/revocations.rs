//! Revocations, the kill switch and their feed.

use super::writer::WriteOptions;
use super::{SqliteLedger, envelope_rows};
use crate::codec::{self, ChangeRow};
use crate::cursor::Cursor;
use crate::feed::{KEPT, Watch};
use crate::{
    AccessState, Change, Claimant, Feed, FeedUpdate, LedgerFault, Revocation, Revocations, Target,
};
use async_trait::async_trait;
use lease::UnixSeconds;
use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;

/// How soon a change by another process is found. Those of this one are signalled.
const LOOK: Duration = Duration::from_millis(250);

#[async_trait]
impl Revocations for SqliteLedger {
    async fn access_state(&self, claimant: Claimant<'_>) -> Result<AccessState, LedgerFault> {
        let session = claimant.session.to_owned();
        let (handle, actor) = (claimant.handle.clone(), claimant.actor.clone());
        let statement = "SELECT (SELECT is_on FROM kill_switch),
                EXISTS (SELECT 1 FROM revocation WHERE kind = 'session' AND name = ?1),
                EXISTS (SELECT 1 FROM revocation WHERE kind = 'handle' AND name = ?2),
                EXISTS (SELECT 1 FROM revocation WHERE kind = 'actor' AND name = ?3),
                (SELECT last_seen FROM session WHERE id = ?1),
                (SELECT max(sequence) FROM change)";
        self.quick
            .ask(move |connection| {
                let mut statement = connection.prepare_cached(statement)?;
                let values = (session, handle.as_str(), actor.as_str());
                let sealed = envelope_rows::find(connection, &actor, &handle)?;
                Ok(statement.query_row(values, |row| {
                    Ok(AccessState {
                        kill_switch: row.get(0)?,
                        session_revoked: row.get(1)?,
                        handle_revoked: row.get(2)?,
                        actor_revoked: row.get(3)?,
                        last_seen: row.get(4)?,
                        sequence: row.get(5)?,
                        sealed,
                    })
                })?)
            })
            .await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), LedgerFault> {
        let revocation = revocation.clone();
        self.writer
            .write(WriteOptions::NOTIFYING, move |connection| revoke(connection, &revocation))
            .await
    }

    async fn restore(&self, target: &Target, now: UnixSeconds) -> Result<bool, LedgerFault> {
        let target = target.clone();
        let statement = "DELETE FROM revocation WHERE kind = ?1 AND name = ?2";
        let use_session = "UPDATE session SET last_seen = ?2 WHERE id = ?1 AND last_seen < ?2";
        self.writer
            .write(WriteOptions::NOTIFYING, move |connection| {
                let values = (target.kind(), target.name());
                if connection.prepare_cached(statement)?.execute(values)? == 0 {
                    return Ok(false);
                }
                if let Target::Session(id) = &target {
                    connection.prepare_cached(use_session)?.execute((id, now))?;
                }
                tell(connection, codec::RESTORED, Some(&target), None)?;
                Ok(true)
            })
            .await
    }

    async fn set_kill_switch(&self, on: bool) -> Result<(), LedgerFault> {
        let statement = "UPDATE kill_switch SET is_on = ?1 WHERE is_on <> ?1";
        self.writer
            .write(WriteOptions::NOTIFYING, move |connection| {
                if connection.prepare_cached(statement)?.execute((on,))? > 0 {
                    tell(connection, codec::kill_switch(on), None, None)?;
                }
                Ok(())
            })
            .await
    }

    async fn kill_switch(&self) -> Result<bool, LedgerFault> {
        self.quick.ask(kill_switch).await
    }

    async fn revoked(&self) -> Result<Vec<Revocation>, LedgerFault> {
        let statement =
            "SELECT kind, name, at, until, by_whom FROM revocation ORDER BY sequence DESC";
        self.slow.ask(move |connection| read_revoked(connection, statement)).await
    }

    async fn changes(&self, cursor: Option<&str>) -> Result<Feed, LedgerFault> {
        let cursor = cursor.and_then(Cursor::parse);
        self.quick.ask(move |connection| feed(connection, cursor)).await
    }

    async fn feed_update(&self, cursor: Option<&str>) -> Result<FeedUpdate, LedgerFault> {
        let cursor = cursor.and_then(Cursor::parse);
        let of_handles = "SELECT kind, name, at, until, by_whom FROM revocation
             WHERE kind IN ('handle', 'actor')";
        self.feed
            .ask(move |connection| {
                let feed = feed(connection, cursor)?;
                let revoked = match feed.concerns_handles() {
                    true => read_revoked(connection, of_handles)?,
                    false => Vec::new(),
                };
                Ok(FeedUpdate { feed, revoked })
            })
            .await
    }

    async fn wait(&self, cursor: &str, at_most: Duration) -> Result<(), LedgerFault> {
        let watch = Watch { changed: self.changed.subscribe(), look: LOOK };
        watch.wait(cursor, at_most, || self.feed.ask(newest)).await
    }

    async fn forget_revocations(&self, now: UnixSeconds) -> Result<u64, LedgerFault> {
        self.writer.write(WriteOptions::DURABLE, move |connection| forget(connection, now)).await
    }
}

pub(super) fn revoke(connection: &Connection, revocation: &Revocation) -> Result<(), LedgerFault> {
    let Revocation { target, at, until, by } = revocation;
    // What ends later, or never, stays.
    let statement = "INSERT INTO revocation (kind, name, at, until, by_whom, sequence)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT max(sequence) + 1 FROM change))
         ON CONFLICT (kind, name) DO UPDATE
            SET at = excluded.at, until = excluded.until, by_whom = excluded.by_whom,
                sequence = excluded.sequence
            WHERE revocation.until IS NOT NULL
              AND (excluded.until IS NULL OR excluded.until > revocation.until)";
    let values = (target.kind(), target.name(), at, until, by);
    if connection.prepare_cached(statement)?.execute(values)? > 0 {
        tell(connection, codec::REVOKED, Some(target), *until)?;
    }
    Ok(())
}

/// Appends a change to the feed.
pub(super) fn tell(
    connection: &Connection,
    what: &str,
    target: Option<&Target>,
    until: Option<UnixSeconds>,
) -> Result<(), LedgerFault> {
    let statement = "INSERT INTO change (sequence, tag, what, kind, name, until)
         SELECT max(sequence) + 1, lower(hex(randomblob(16))), ?1, ?2, ?3, ?4 FROM change";
    let values = (what, target.map(Target::kind), target.map(Target::name), until);
    connection.prepare_cached(statement)?.execute(values)?;
    Ok(())
}

fn kill_switch(connection: &Connection) -> Result<bool, LedgerFault> {
    let statement = "SELECT is_on FROM kill_switch";
    Ok(connection.prepare_cached(statement)?.query_row((), |row| row.get(0))?)
}

/// The cursor of a reader that has every change.
fn newest(connection: &Connection) -> Result<Cursor, LedgerFault> {
    let statement = "SELECT sequence, tag FROM change ORDER BY sequence DESC LIMIT 1";
    let mut statement = connection.prepare_cached(statement)?;
    Ok(statement.query_row((), |row| Ok(Cursor { sequence: row.get(0)?, tag: row.get(1)? }))?)
}

fn feed(connection: &Connection, cursor: Option<Cursor>) -> Result<Feed, LedgerFault> {
    let known = "SELECT sequence FROM change WHERE sequence = ?1 AND tag = ?2";
    let since: Option<i64> = match cursor {
        None => None,
        Some(cursor) => connection
            .prepare_cached(known)?
            .query_row((cursor.sequence, cursor.tag), |row| row.get(0))
            .optional()?,
    };
    let changes = match since {
        Some(since) => {
            let after = "SELECT what, kind, name, until FROM change
                 WHERE sequence > ?1 ORDER BY sequence";
            read_changes(connection, after, (since,))?
        }
        None => {
            let all = "SELECT 'revoked', kind, name, until FROM revocation ORDER BY sequence";
            read_changes(connection, all, ())?
        }
    };
    Ok(Feed {
        cursor: newest(connection)?.to_string(),
        full: since.is_none(),
        kill_switch: kill_switch(connection)?,
        changes,
    })
}

fn read_revoked(connection: &Connection, statement: &str) -> Result<Vec<Revocation>, LedgerFault> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(())?;
    let mut revoked = Vec::new();
    while let Some(row) = rows.next()? {
        let target = Target::read(&row.get::<_, String>(0)?, row.get(1)?)?;
        let (at, until, by) = (row.get(2)?, row.get(3)?, row.get(4)?);
        revoked.push(Revocation { target, at, until, by });
    }
    Ok(revoked)
}

fn read_changes(
    connection: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<Change>, LedgerFault> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(values)?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let target = match (row.get(1)?, row.get(2)?) {
            (Some(kind), Some(name)) => Some((kind, name)),
            _ => None,
        };
        changes.push(ChangeRow { what: row.get(0)?, target, until: row.get(3)? }.read()?);
    }
    Ok(changes)
}

fn forget(connection: &Connection, now: UnixSeconds) -> Result<u64, LedgerFault> {
    let ended = "DELETE FROM revocation WHERE until <= ?1 RETURNING sequence";
    let mut statement = connection.prepare_cached(ended)?;
    let sequences = statement
        .query_map((now,), |row| row.get(0))?
        .collect::<Result<Vec<i64>, rusqlite::Error>>()?;
    // The changes that told them, and all before, but never the newest.
    let newest = sequences.iter().max().copied().unwrap_or(-1);
    let old = "DELETE FROM change
         WHERE sequence < (SELECT max(sequence) FROM change)
           AND (sequence <= ?1 OR sequence <= (SELECT max(sequence) FROM change) - ?2)";
    let changes = connection.prepare_cached(old)?.execute((newest, KEPT))?;
    Ok(sequences.len() as u64 + changes as u64)
}
