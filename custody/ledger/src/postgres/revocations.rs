//! Revocations, the kill switch and their feed.
//!
//! A change takes its number and commits under one lock ([`FEED`]), so that numbers become visible
//! in their order: a reader that has seen number 7 will never find a 6 that it has not. Leases are
//! recorded under the same lock, shared (`lease_conditions.sql`), and stored secrets are replaced under it.

use super::call::{Call, Values};
use super::columns::{get, number, unsigned};
use super::listener::CHANNEL;
use super::{PostgresLedger, envelope_rows};
use crate::codec::{self, ChangeRow};
use crate::cursor::Cursor;
use crate::feed::{KEPT, Watch};
use crate::{
    AccessState, Change, Claimant, Feed, FeedUpdate, LedgerFault, Revocation, Revocations, Target,
};
use async_trait::async_trait;
use lease::UnixSeconds;
use std::time::Duration;
use tokio_postgres::Row;

/// "LHfd": the advisory lock of a change to the feed. Recording a lease shares it.
const FEED: i64 = 0x4c48_6664;
/// How soon custody finds a change without a notification, because the listening connection is broken.
const LOOK: Duration = Duration::from_secs(1);

#[async_trait]
impl Revocations for PostgresLedger {
    async fn access_state(&self, claimant: Claimant<'_>) -> Result<AccessState, LedgerFault> {
        let Claimant { session, handle, actor } = claimant;
        let row_of_the_store = envelope_rows::COLUMNS;
        let statement = format!(
            "SELECT (SELECT is_on FROM kill_switch),
                EXISTS (SELECT 1 FROM revocation WHERE kind = 'session' AND name = $1),
                EXISTS (SELECT 1 FROM revocation WHERE kind = 'handle' AND name = $2),
                EXISTS (SELECT 1 FROM revocation WHERE kind = 'actor' AND name = $3),
                (SELECT last_seen FROM session WHERE id = $1),
                (SELECT max(sequence) FROM change),
                {row_of_the_store}
             FROM (VALUES (1)) AS claimant
                LEFT JOIN credential ON actor = $3 AND handle = $2"
        );
        let call = self.call().await?;
        let row = call.row(&statement, &[&session, &handle.as_str(), &actor.as_str()]).await?;
        call.finish();
        let row = row.ok_or(LedgerFault::Row("the standing"))?;
        let last_seen: Option<i64> = get(&row, 4)?;
        // A missing kill-switch row is an error, not `off`.
        let kill_switch: Option<bool> = get(&row, 0)?;
        Ok(AccessState {
            kill_switch: kill_switch.ok_or(LedgerFault::Row("the kill switch"))?,
            session_revoked: get(&row, 1)?,
            handle_revoked: get(&row, 2)?,
            actor_revoked: get(&row, 3)?,
            last_seen: last_seen.map(unsigned).transpose()?,
            sequence: get(&row, 5)?,
            sealed: match get::<Option<String>>(&row, 6)? {
                Some(_) => Some(envelope_rows::read(&row, 6)?),
                None => None,
            },
        })
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), LedgerFault> {
        let Revocation { target, at, until, by } = revocation;
        let (at, ends) = (number(*at), until.map(number));
        // What ends later, or never, stays.
        let statement = "INSERT INTO revocation (kind, name, at, until, by_whom, sequence)
             VALUES ($1, $2, $3, $4, $5, (SELECT max(sequence) + 1 FROM change))
             ON CONFLICT (kind, name) DO UPDATE
                SET at = excluded.at, until = excluded.until, by_whom = excluded.by_whom,
                    sequence = excluded.sequence
                WHERE revocation.until IS NOT NULL
                  AND (excluded.until IS NULL OR excluded.until > revocation.until)";
        let call = self.change_feed().await?;
        let values: Values<'_> = &[&target.kind(), &target.name(), &at, &ends, by];
        if call.execute(statement, values).await? > 0 {
            tell(&call, codec::REVOKED, Some(target), *until).await?;
        }
        commit(call).await
    }

    async fn restore(&self, target: &Target, now: UnixSeconds) -> Result<bool, LedgerFault> {
        let statement = "DELETE FROM revocation WHERE kind = $1 AND name = $2";
        let use_session = "UPDATE session SET last_seen = $2 WHERE id = $1 AND last_seen < $2";
        let call = self.change_feed().await?;
        let was = call.execute(statement, &[&target.kind(), &target.name()]).await? > 0;
        if was {
            if let Target::Session(id) = target {
                call.execute(use_session, &[id, &number(now)]).await?;
            }
            tell(&call, codec::RESTORED, Some(target), None).await?;
        }
        commit(call).await?;
        Ok(was)
    }

    async fn set_kill_switch(&self, on: bool) -> Result<(), LedgerFault> {
        let call = self.change_feed().await?;
        if call.execute("UPDATE kill_switch SET is_on = $1 WHERE is_on <> $1", &[&on]).await? > 0 {
            tell(&call, codec::kill_switch(on), None, None).await?;
        }
        commit(call).await
    }

    async fn kill_switch(&self) -> Result<bool, LedgerFault> {
        let call = self.call().await?;
        let row = call.row("SELECT is_on FROM kill_switch", &[]).await?;
        call.finish();
        get(&row.ok_or(LedgerFault::Row("the kill switch"))?, 0)
    }

    async fn revoked(&self) -> Result<Vec<Revocation>, LedgerFault> {
        let statement =
            "SELECT kind, name, at, until, by_whom FROM revocation ORDER BY sequence DESC";
        let call = self.call().await?;
        let rows = call.rows(statement, &[]).await?;
        call.finish();
        rows.iter().map(read_revoked).collect()
    }

    async fn changes(&self, cursor: Option<&str>) -> Result<Feed, LedgerFault> {
        let call = self.call().await?;
        let feed = read_feed(&call, cursor).await?;
        call.finish();
        Ok(feed)
    }

    async fn feed_update(&self, cursor: Option<&str>) -> Result<FeedUpdate, LedgerFault> {
        let of_handles = "SELECT kind, name, at, until, by_whom FROM revocation
             WHERE kind IN ('handle', 'actor')";
        let call = self.feed_call().await?;
        let feed = read_feed(&call, cursor).await?;
        let rows = match feed.concerns_handles() {
            true => call.rows(of_handles, &[]).await?,
            false => Vec::new(),
        };
        call.finish();
        let revoked = rows.iter().map(read_revoked).collect::<Result<_, _>>()?;
        Ok(FeedUpdate { feed, revoked })
    }

    async fn wait(&self, cursor: &str, at_most: Duration) -> Result<(), LedgerFault> {
        let watch = Watch { changed: self.listener.subscribe(), look: LOOK };
        watch.wait(cursor, at_most, || self.newest()).await
    }

    async fn forget_revocations(&self, now: UnixSeconds) -> Result<u64, LedgerFault> {
        let ended = "DELETE FROM revocation WHERE until <= $1 RETURNING sequence";
        // The changes that told them, and all before, but never the newest.
        let old = "DELETE FROM change
             WHERE sequence < (SELECT max(sequence) FROM change)
               AND (sequence <= $1 OR sequence <= (SELECT max(sequence) FROM change) - $2)";
        let call = self.change_feed().await?;
        let rows = call.rows(ended, &[&number(now)]).await?;
        let sequences = rows.iter().map(|row| get(row, 0)).collect::<Result<Vec<i64>, _>>()?;
        let newest = sequences.iter().max().copied().unwrap_or(-1);
        let changes = call.execute(old, &[&newest, &KEPT]).await?;
        commit(call).await?;
        Ok(rows.len() as u64 + changes)
    }
}

impl PostgresLedger {
    /// A transaction that is alone in changing the feed, and in which no lease is recorded.
    pub(super) async fn change_feed(&self) -> Result<Call, LedgerFault> {
        let call = self.call().await?;
        // A statement before those that look for the highest number: each sees what was committed
        // when it began.
        call.plain(&format!("BEGIN; SELECT pg_advisory_xact_lock({FEED})")).await?;
        Ok(call)
    }

    /// The cursor of a reader that has every change.
    async fn newest(&self) -> Result<Cursor, LedgerFault> {
        let statement = "SELECT sequence, tag FROM change ORDER BY sequence DESC LIMIT 1";
        let call = self.feed_call().await?;
        let row = call.row(statement, &[]).await?.ok_or(LedgerFault::Row("the feed"))?;
        call.finish();
        Ok(Cursor { sequence: get(&row, 0)?, tag: get(&row, 1)? })
    }
}

/// Appends a change to the feed. Readers get a signal when it is committed.
pub(super) async fn tell(
    call: &Call,
    what: &str,
    target: Option<&Target>,
    until: Option<UnixSeconds>,
) -> Result<(), LedgerFault> {
    let statement = "INSERT INTO change (sequence, tag, what, kind, name, until)
         SELECT max(sequence) + 1, replace(gen_random_uuid()::text, '-', ''), $1, $2, $3, $4
         FROM change";
    let (kind, name) = target.map(|target| (target.kind(), target.name())).unzip();
    call.execute(statement, &[&what, &kind, &name, &until.map(number)]).await?;
    call.plain(&format!("NOTIFY {CHANNEL}")).await
}

pub(super) async fn commit(call: Call) -> Result<(), LedgerFault> {
    call.plain("COMMIT").await?;
    call.finish();
    Ok(())
}

async fn read_feed(call: &Call, cursor: Option<&str>) -> Result<Feed, LedgerFault> {
    // One statement: all of the answer is of one moment. A row for each change, and one without
    // if there is none; the first columns are the same in all.
    let statement = "WITH
            known AS (SELECT sequence FROM change WHERE sequence = $1 AND tag = $2),
            newest AS (SELECT sequence, tag FROM change ORDER BY sequence DESC LIMIT 1),
            told AS (
                SELECT sequence, what, kind, name, until FROM change
                WHERE sequence > (SELECT sequence FROM known)
                UNION ALL
                SELECT sequence, 'revoked', kind, name, until FROM revocation
                WHERE NOT EXISTS (SELECT 1 FROM known))
         SELECT newest.sequence, newest.tag, EXISTS (SELECT 1 FROM known), is_on,
                what, kind, name, until
         FROM newest CROSS JOIN kill_switch LEFT JOIN told ON true ORDER BY told.sequence";
    let cursor = cursor.and_then(Cursor::parse);
    let (sequence, tag) = cursor.map(|cursor| (cursor.sequence, cursor.tag)).unzip();
    let rows = call.rows(statement, &[&sequence, &tag]).await?;
    let first = rows.first().ok_or(LedgerFault::Row("the feed"))?;
    let known: bool = get(first, 2)?;
    let changes = rows.iter().filter_map(|row| read_change(row).transpose());
    Ok(Feed {
        cursor: Cursor { sequence: get(first, 0)?, tag: get(first, 1)? }.to_string(),
        full: !known,
        kill_switch: get(first, 3)?,
        changes: changes.collect::<Result<_, _>>()?,
    })
}

fn read_revoked(row: &Row) -> Result<Revocation, LedgerFault> {
    let until: Option<i64> = get(row, 3)?;
    Ok(Revocation {
        target: Target::read(get(row, 0)?, get(row, 1)?)?,
        at: unsigned(get(row, 2)?)?,
        until: until.map(unsigned).transpose()?,
        by: get(row, 4)?,
    })
}

/// `None`: the row is not a change.
fn read_change(row: &Row) -> Result<Option<Change>, LedgerFault> {
    let Some(what) = get::<Option<String>>(row, 4)? else { return Ok(None) };
    let target = match (get(row, 5)?, get(row, 6)?) {
        (Some(kind), Some(name)) => Some((kind, name)),
        _ => None,
    };
    let until: Option<i64> = get(row, 7)?;
    ChangeRow { what, target, until: until.map(unsigned).transpose()? }.read().map(Some)
}
