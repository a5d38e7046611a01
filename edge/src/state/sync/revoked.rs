//! Names that must not be used, some of them for a time.

use lease::{SyncChange, UnixSeconds};
use std::collections::HashMap;

/// Revoked names of one kind, and the time until which custody has the edge keep each.
#[derive(Default)]
pub struct Revoked(HashMap<String, UnixSeconds>);

// === impl Revoked ===

impl Revoked {
    /// Costs next to nothing while no name is revoked.
    pub fn contains(&self, id: &str) -> bool {
        !self.0.is_empty() && self.0.contains_key(id)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn apply(&mut self, change: SyncChange) {
        let SyncChange { kind: _, id, revoked, until } = change;
        if revoked {
            self.0.insert(id, until.unwrap_or(UnixSeconds::MAX));
        } else {
            self.0.remove(&id);
        }
    }

    pub fn forget_until(&mut self, now: UnixSeconds) {
        self.0.retain(|_, until| now < *until);
    }
}
