//! The leases of one target, a page at a time in the order of their ends.

use super::call::Call;
use super::columns::{get, number, unsigned};
use super::lease_rows::{COLUMNS, read};
use super::listener::CHANNEL;
use crate::codec;
use crate::{LeasePage, LeasePlace, LedgerFault, PAGE, Target};
use lease::UnixSeconds;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

pub(super) async fn find(
    call: &Call,
    target: &Target,
    after: LeasePlace,
) -> Result<LeasePage, LedgerFault> {
    let statement = page(target);
    let (end, count) = (number(after.expires_at), number(after.number));
    let values: [&(dyn ToSql + Sync); 4] = [&target.name(), &end, &count, &i64::from(PAGE)];
    read_page(&call.rows(&statement, &values).await?)
}

/// In a transaction that is alone in changing the feed. The new changes get numbers in the order of the
/// leases. The conflict finds earlier revocations. It uses the index even if the planner's statistics
/// are old, as they are for a table that grows by a page each time.
pub(super) async fn revoke_found(
    call: &Call,
    target: &Target,
    after: LeasePlace,
    issued_until: UnixSeconds,
    (now, by): (UnixSeconds, &str),
) -> Result<LeasePage, LedgerFault> {
    let page = page(target);
    let statement = format!(
        "WITH page AS ({page}),
            numbered AS (
                SELECT lease_id, expires_at, (SELECT max(sequence) FROM change)
                    + row_number() OVER (ORDER BY expires_at, number) AS sequence
                FROM page WHERE issued_at <= $7),
            revoked AS (
                INSERT INTO revocation (kind, name, at, until, by_whom, sequence)
                SELECT 'lease', lease_id, $5, expires_at, $6, sequence FROM numbered
                ON CONFLICT (kind, name) DO UPDATE
                    SET at = excluded.at, until = excluded.until, by_whom = excluded.by_whom,
                        sequence = excluded.sequence
                    WHERE revocation.until < excluded.until
                RETURNING name, until, sequence),
            told AS (
                INSERT INTO change (sequence, tag, what, kind, name, until)
                SELECT sequence, replace(gen_random_uuid()::text, '-', ''), 'revoked', 'lease',
                    name, until
                FROM revoked)
         SELECT page.*, revoked.name IS NOT NULL
         FROM page LEFT JOIN revoked ON name = lease_id ORDER BY page.expires_at, number"
    );
    let (end, count, now) = (number(after.expires_at), number(after.number), number(now));
    let issued_until = number(issued_until);
    let values: [&(dyn ToSql + Sync); 7] =
        [&target.name(), &end, &count, &i64::from(PAGE), &now, &by, &issued_until];
    let rows = call.rows(&statement, &values).await?;
    let LeasePage { leases, next } = read_page(&rows)?;
    let mut revoked = Vec::new();
    for (row, lease) in rows.iter().zip(leases) {
        if get(row, 14)? {
            revoked.push(lease);
        }
    }
    if !revoked.is_empty() {
        call.plain(&format!("NOTIFY {CHANNEL}")).await?;
    }
    Ok(LeasePage { leases: revoked, next })
}

fn page(target: &Target) -> String {
    let column = codec::lease_column(target);
    format!(
        "SELECT {COLUMNS}, number FROM lease
         WHERE {column} = $1 AND (expires_at, number) > ($2, $3)
         ORDER BY expires_at, number LIMIT $4"
    )
}

fn read_page(rows: &[Row]) -> Result<LeasePage, LedgerFault> {
    let found = rows.iter().map(|row| {
        let lease = read(row)?;
        Ok((LeasePlace { expires_at: lease.expires_at, number: unsigned(get(row, 13)?)? }, lease))
    });
    found.collect::<Result<_, _>>().map(LeasePage::of)
}
