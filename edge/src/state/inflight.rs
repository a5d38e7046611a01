//! Single flight: one callout, however many requests wait for its lease.
//!
//! Fetches of the issuer's keys work in the same way, for requests that name an unknown key.
//!
//! A fetch belongs to the edge and not to the request that opened it. So it completes without that request,
//! and requests that arrive while it is in flight join it.

use crate::digest::ByDigest;
use crate::ids::FetchId;
use crate::policy::denial::Denial;
use crate::state::lease_usage::LeaseUsage;
use crate::state::leases::LeaseKey;
use lease::{Binding, Handle, LiveLease};
use session::Session;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The callouts for leases that are in flight.
#[derive(Default)]
pub struct InFlight {
    open: BTreeMap<FetchId, LeaseFetch>,
    by_key: ByDigest<FetchId>,
    last: u64,
}

/// The subject of a fetch.
pub struct LeaseFetch {
    /// `None`: for one operation; nobody joins, nothing is kept.
    pub key: Option<LeaseKey>,
    pub session: Session,
    pub handle: Handle,
}

/// A completed fetch. Every request that waited for it settles with the same result.
pub struct CompletedFetch {
    fetch: FetchId,
    result: FetchResult,
}

enum FetchResult {
    /// The current keys, whichever they are.
    Keys,
    Lease(Result<IssuedLease, Denial>),
}

/// A lease as custody issued it.
#[derive(Clone)]
pub(crate) struct IssuedLease {
    pub lease: Rc<LiveLease>,
    pub usage: LeaseUsage,
}

// === impl InFlight ===

impl InFlight {
    /// The fetch in flight for this scope.
    pub fn to(&self, key: LeaseKey) -> Option<FetchId> {
        self.by_key.get(key.digest()).copied()
    }

    /// The number of a fetch that is not for a lease.
    pub fn number(&mut self) -> FetchId {
        self.last += 1;
        FetchId::new(self.last)
    }

    pub fn open(&mut self, fetch: LeaseFetch) -> FetchId {
        let id = self.number();
        if let Some(key) = fetch.key {
            self.by_key.insert(*key.digest(), id);
        }
        self.open.insert(id, fetch);
        id
    }

    /// Ends the fetch, with any result. `None` if it had ended already.
    pub fn complete(&mut self, id: FetchId) -> Option<LeaseFetch> {
        let fetch = self.open.remove(&id)?;
        if let Some(key) = fetch.key {
            self.by_key.remove(key.digest());
        }
        Some(fetch)
    }
}

// === impl LeaseFetch ===

impl LeaseFetch {
    pub fn binding(&self) -> Binding {
        match self.key {
            Some(_) => Binding::Session,
            None => Binding::SingleUse,
        }
    }
}

// === impl CompletedFetch ===

impl CompletedFetch {
    pub fn fetch(&self) -> FetchId {
        self.fetch
    }

    pub(crate) fn with_keys(fetch: FetchId) -> Self {
        Self { fetch, result: FetchResult::Keys }
    }

    pub(crate) fn with_lease(fetch: FetchId, lease: Result<IssuedLease, Denial>) -> Self {
        Self { fetch, result: FetchResult::Lease(lease) }
    }

    /// # Errors
    /// Why the fetch brought no lease.
    pub(crate) fn lease(&self) -> Result<&IssuedLease, Denial> {
        match &self.result {
            FetchResult::Lease(lease) => lease.as_ref().map_err(|denial| *denial),
            FetchResult::Keys => Err(Denial::Internal),
        }
    }
}
