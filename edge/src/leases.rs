//! The leases this VM holds.
//!
//! The simple life of a lease: kept until it expires, looked up by its whole scope. Renewal ahead of
//! time, single flight and revocation have their place here.

use crate::UnixSeconds;
use crate::bounded::{self, Bounded};
use crate::permit::Permit;
use lease::{LiveLease, Secret};
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// Live leases by [`LeaseKey`]; in this VM's own memory and nowhere else.
pub struct Leases {
    live: Bounded<Rc<LiveLease>>,
}

/// All that a lease was granted for: session (by its very token), handle, destination, method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseKey(bounded::Digest);

const CAPACITY: usize = 4096;

// === impl Leases ===

impl Leases {
    pub fn new() -> Self {
        Self { live: Bounded::new(CAPACITY) }
    }

    /// A lease that is live now; one that is not is dropped, and with it its value wiped.
    pub fn get(&mut self, key: LeaseKey, now: UnixSeconds) -> Option<Rc<LiveLease>> {
        let lease = self.live.get(&key.0)?;
        if lease.is_live(now) {
            return Some(Rc::clone(lease));
        }
        self.live.remove(&key.0);
        None
    }

    pub fn keep(&mut self, key: LeaseKey, lease: &Rc<LiveLease>) {
        self.live.insert(key.0, Rc::clone(lease));
    }
}

// === impl LeaseKey ===

impl LeaseKey {
    /// `None` where the destination has no credential.
    ///
    /// The method is part of it because custody may grant a handle for some methods only; a lease
    /// granted for a GET must not serve a DELETE. The token and not its `jti`: two tokens of one `jti` may differ in the claims that custody's
    /// grants look at.
    pub fn of(permit: &Permit, token: &Secret) -> Option<Self> {
        let authority = permit.authority().to_string();
        let parts = [
            token.expose(),
            permit.handle()?.as_str().as_bytes(),
            authority.as_bytes(),
            permit.method().as_bytes(),
        ];
        let mut hash = Sha256::new_with_prefix(b"leasehold lease key v1");
        for part in parts {
            // Length first, so that no two lists of parts run together to the same bytes.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Some(Self(hash.finalize().into()))
    }
}
