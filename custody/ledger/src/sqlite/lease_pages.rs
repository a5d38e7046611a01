//! The leases of one target, a page at a time in the order of their ends.

use super::lease_rows::{COLUMNS, read};
use super::revocations::revoke;
use crate::codec;
use crate::{LeasePage, LeasePlace, LeaseRow, LedgerFault, PAGE, Revocation, Target};
use lease::UnixSeconds;
use rusqlite::Connection;

const ANY: &str = "";
const NOT_REVOKED: &str = "AND NOT EXISTS (SELECT 1 FROM revocation
    WHERE kind = 'lease' AND name = lease_id AND (until IS NULL OR until >= expires_at))";

pub(super) fn find(
    connection: &Connection,
    target: &Target,
    after: LeasePlace,
) -> Result<LeasePage, LedgerFault> {
    page(connection, ANY, target, after, i64::MAX).map(LeasePage::of)
}

pub(super) fn revoke_found(
    connection: &Connection,
    target: &Target,
    after: LeasePlace,
    issued_until: UnixSeconds,
    (now, by): (UnixSeconds, &str),
) -> Result<LeasePage, LedgerFault> {
    let issued_until = i64::try_from(issued_until).unwrap_or(i64::MAX);
    let found = page(connection, NOT_REVOKED, target, after, issued_until)?;
    for (_, lease) in &found {
        let (target, until) = (Target::Lease(lease.lease_id.clone()), Some(lease.expires_at));
        revoke(connection, &Revocation { target, at: now, until, by: by.to_owned() })?;
    }
    Ok(LeasePage::of(found))
}

fn page(
    connection: &Connection,
    which: &str,
    target: &Target,
    after: LeasePlace,
    issued_until: i64,
) -> Result<Vec<(LeasePlace, LeaseRow)>, LedgerFault> {
    let column = codec::lease_column(target);
    let statement = format!(
        "SELECT {COLUMNS}, number FROM lease
         WHERE {column} = ?1 AND (expires_at, number) > (?2, ?3) AND issued_at <= ?5 {which}
         ORDER BY expires_at, number LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&statement)?;
    let values = (target.name(), after.expires_at, after.number, PAGE, issued_until);
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let lease = read(row)?;
        found.push((LeasePlace { expires_at: lease.expires_at, number: row.get(13)? }, lease));
    }
    Ok(found)
}
