//! Leases that were given, and sessions that are active.

use super::PostgresLedger;
use super::call::Values;
use super::columns::{get, number};
use super::lease_pages;
use super::lease_rows::{COLUMNS, read};
use super::revocations::commit;
use crate::codec;
use crate::{FORGOTTEN_AT_ONCE, LeaseFilter, LeaseRow, Leases, LedgerFault, Recorded};
use crate::{LeasePage, LeasePlace, NewLease, Target};
use async_trait::async_trait;
use lease::UnixSeconds;
use tokio_postgres::types::ToSql;

#[async_trait]
impl Leases for PostgresLedger {
    async fn record(&self, lease: &NewLease<'_>) -> Result<Recorded, LedgerFault> {
        let NewLease { row: lease, as_of, made_from, hold } = *lease;
        let statement =
            "SELECT record_lease($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
            $14, $15, $16, $17)";
        let (issued_at, expires_at) = (number(lease.issued_at), number(lease.expires_at));
        let actors: Vec<_> = made_from.iter().map(|secret| secret.actor.as_str()).collect();
        let handles: Vec<_> = made_from.iter().map(|secret| secret.handle.as_str()).collect();
        let origins: Vec<_> = made_from.iter().map(|secret| number(secret.origin)).collect();
        let (key, holder) = hold.map(|(key, holder)| (&key[..], holder)).unzip();
        let values: [&(dyn ToSql + Sync); 17] = [
            &lease.lease_id,
            &lease.session,
            &lease.subject,
            &lease.actor.as_str(),
            &lease.handle.as_str(),
            &lease.destination,
            &codec::binding(lease.binding),
            &issued_at,
            &expires_at,
            &lease.backend,
            &lease.revocation,
            &as_of,
            &actors,
            &handles,
            &origins,
            &key,
            &holder,
        ];
        let call = self.call().await?;
        let row = call.row(statement, &values).await?;
        call.finish();
        codec::read_recorded(get(&row.ok_or(LedgerFault::Row("the check of a lease"))?, 0)?)
    }

    async fn leases(&self, filter: &LeaseFilter) -> Result<Vec<LeaseRow>, LedgerFault> {
        let LeaseFilter { session, lease_id, handle, actor, live_at, limit } = filter;
        let handle = handle.as_ref().map(lease::Handle::as_str);
        let actor = actor.as_ref().map(custody_base::actor::Actor::as_str);
        // Every lease ends after 1970: the list is a range of an index, whatever is asked for.
        let (live_at, limit) = (live_at.map_or(-1, number), i64::from(*limit));
        let mut statement = format!("SELECT {COLUMNS} FROM lease WHERE expires_at > $2");
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&limit, &live_at];
        let conditions: [(&str, bool, &(dyn ToSql + Sync)); 4] = [
            ("lease_id", lease_id.is_some(), lease_id),
            ("session", session.is_some(), session),
            ("handle", handle.is_some(), &handle),
            ("actor", actor.is_some(), &actor),
        ];
        for (column, _, value) in conditions.into_iter().filter(|(_, given, _)| *given) {
            values.push(value);
            statement.push_str(&format!(" AND {column} = ${}", values.len()));
        }
        statement.push_str(" ORDER BY expires_at DESC, number DESC LIMIT $1");
        let call = self.call().await?;
        let rows = call.rows(&statement, &values).await?;
        call.finish();
        rows.iter().map(read).collect()
    }

    async fn leases_after(
        &self,
        target: &Target,
        after: LeasePlace,
    ) -> Result<LeasePage, LedgerFault> {
        let call = self.call().await?;
        let page = lease_pages::find(&call, target, after).await?;
        call.finish();
        Ok(page)
    }

    async fn revoke_leases_after(
        &self,
        target: &Target,
        after: LeasePlace,
        issued_until: UnixSeconds,
        (now, by): (UnixSeconds, &str),
    ) -> Result<LeasePage, LedgerFault> {
        let call = self.change_feed().await?;
        let page = lease_pages::revoke_found(&call, target, after, issued_until, (now, by)).await?;
        commit(call).await?;
        Ok(page)
    }

    async fn mark_seen(
        &self,
        sessions: &[String],
        now: UnixSeconds,
        idle_since: UnixSeconds,
    ) -> Result<(), LedgerFault> {
        // Locked in one order, or two replicas with the same sessions could wait for each other.
        let statement = "WITH active AS (
                SELECT id FROM session WHERE id = ANY($1) AND last_seen > $3 AND last_seen < $2
                ORDER BY id FOR UPDATE)
             UPDATE session SET last_seen = $2 FROM active WHERE session.id = active.id";
        // PostgreSQL has no text with a NUL, so such a session is not recorded; it must not hold up the others.
        let sessions: Vec<_> = sessions.iter().filter(|id| !id.contains('\0')).collect();
        let call = self.call().await?;
        call.execute(statement, &[&sessions, &number(now), &number(idle_since)]).await?;
        call.finish();
        Ok(())
    }

    async fn forget(&self, before: UnixSeconds) -> Result<u64, LedgerFault> {
        let before = number(before);
        let call = self.call().await?;
        let mut forgotten = 0;
        // Each on its own: what one forgets, the others need not wait for. An array and not a join, for
        // which PostgreSQL might read the whole table. What ended is asked again of each row: another
        // replica may have seen the session meanwhile.
        for statement in [
            "DELETE FROM lease WHERE expires_at < $1 AND lease_id = ANY (ARRAY(
                SELECT lease_id FROM lease WHERE expires_at < $1 ORDER BY expires_at LIMIT $2))",
            "DELETE FROM reservation
             WHERE keep_until < $1 AND held_until < $1 AND key = ANY (ARRAY(
                SELECT key FROM reservation WHERE keep_until < $1 AND held_until < $1
                ORDER BY keep_until LIMIT $2))",
            "DELETE FROM session WHERE last_seen < $1 AND id = ANY (ARRAY(
                SELECT id FROM session WHERE check_after < $1 ORDER BY check_after LIMIT $2))",
            // These were in use since.
            "UPDATE session SET check_after = last_seen WHERE last_seen >= $1 AND id = ANY (ARRAY(
                SELECT id FROM session WHERE check_after < $1 ORDER BY check_after LIMIT $2))",
            "DELETE FROM held_lock WHERE held_until < $1 AND name = ANY (ARRAY(
                SELECT name FROM held_lock WHERE held_until < $1 ORDER BY held_until LIMIT $2))",
        ] {
            let values: Values<'_> = &[&before, &i64::from(FORGOTTEN_AT_ONCE)];
            let some = call.execute(statement, values).await?;
            forgotten += some;
            // The next part goes on here, and the other tables are not read for each part.
            if some == u64::from(FORGOTTEN_AT_ONCE) {
                break;
            }
        }
        call.finish();
        Ok(forgotten)
    }
}
