//! The ledger's changes in the words of an edge.

use crate::grants::Grants;
use custody_ledger::{Change, Revocation, Target};
use lease::{Handle, SyncChange, SyncKind, UnixSeconds};
use std::collections::{BTreeMap, BTreeSet};

/// A revocation that ends, or one that does not.
type Until = Option<UnixSeconds>;

/// A full feed: each change is a revocation that is in force.
pub(super) fn full(changes: &[Change], grants: &Grants) -> Vec<SyncChange> {
    let mut sync_changes: Vec<_> = changes.iter().filter_map(plain).collect();
    let in_force = changes.iter().filter_map(|change| match change {
        Change::Revoked { target, until } => Some((target, *until)),
        Change::Restored { .. } | Change::KillSwitch { .. } | Change::TornDown { .. } => None,
    });
    let handles = revoked_handles(in_force, grants);
    sync_changes.extend(handles.into_iter().map(|(handle, until)| of_handle(handle, Some(until))));
    sync_changes
}

/// The changes since the cursor, with the present state of the handles: an edge may apply a state twice, or
/// early.
pub(super) fn incremental(
    changes: &[Change],
    revoked: &[Revocation],
    grants: &Grants,
) -> Vec<SyncChange> {
    let owned = grants.handles_of_actors();
    let mut touched: BTreeSet<&Handle> = BTreeSet::new();
    for change in changes {
        match change {
            Change::Revoked { target, .. } | Change::Restored { target } => match target {
                Target::Handle(handle) => _ = touched.insert(handle),
                Target::Actor(actor) => touched.extend(owned.get(actor).into_iter().flatten()),
                Target::Session(_) | Target::Lease(_) => {}
            },
            Change::KillSwitch { .. } | Change::TornDown { .. } => {}
        }
    }
    let in_force = revoked.iter().map(|revocation| (&revocation.target, revocation.until));
    let handles = revoked_handles(in_force, grants);
    let mut sync_changes: Vec<_> = changes.iter().filter_map(plain).collect();
    sync_changes
        .extend(touched.into_iter().map(|handle| of_handle(handle, handles.get(handle).copied())));
    sync_changes
}

/// A change that an edge applies as it is. The kill switch is a field of its own, and an edge gets a teardown
/// lease by lease.
fn plain(change: &Change) -> Option<SyncChange> {
    let (target, revoked, until) = match change {
        Change::Revoked { target, until } => (target, true, *until),
        Change::Restored { target } => (target, false, None),
        Change::KillSwitch { .. } | Change::TornDown { .. } => return None,
    };
    let (kind, id) = match target {
        Target::Session(id) => (SyncKind::Session, id),
        Target::Lease(id) => (SyncKind::Lease, id),
        Target::Handle(_) | Target::Actor(_) => return None,
    };
    Some(SyncChange { kind, id: id.clone(), revoked, until })
}

/// Revoked for themselves or for their actor; the later end counts.
fn revoked_handles<'a>(
    in_force: impl Iterator<Item = (&'a Target, Until)>,
    grants: &'a Grants,
) -> BTreeMap<&'a Handle, Until> {
    let owned = grants.handles_of_actors();
    let mut handles = BTreeMap::new();
    for (target, until) in in_force {
        let of_target: Vec<&Handle> = match target {
            Target::Handle(handle) => vec![handle],
            Target::Actor(actor) => owned.get(actor).into_iter().flatten().copied().collect(),
            Target::Session(_) | Target::Lease(_) => continue,
        };
        for handle in of_target {
            let kept = handles.entry(handle).or_insert(until);
            *kept = later(*kept, until);
        }
    }
    handles
}

fn later(one: Until, other: Until) -> Until {
    Some(one?.max(other?))
}

/// `Some`: revoked until then. `None`: not revoked.
fn of_handle(handle: &Handle, revoked: Option<Until>) -> SyncChange {
    SyncChange {
        kind: SyncKind::Handle,
        id: handle.to_string(),
        revoked: revoked.is_some(),
        until: revoked.flatten(),
    }
}

#[cfg(test)]
mod tests;
