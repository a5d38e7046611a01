//! Single flight: one callout, however many requests wait for its lease.
//!
//! The issuer's keys fly in the same way, for requests that name one that we do not know.
//!
//! A flight belongs to the edge and not to the request that opened it. So it lands whoever is still
//! there, and whoever comes while it is under way joins it.

use crate::digest::ByDigest;
use crate::ids::FlightId;
use crate::policy::denial::Denial;
use crate::state::leases::LeaseKey;
use crate::state::lent::Lent;
use lease::{Binding, Handle, LiveLease};
use session::Session;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The callouts for leases that are under way.
#[derive(Default)]
pub struct Flights {
    open: BTreeMap<FlightId, Flight>,
    by_key: ByDigest<FlightId>,
    last: u64,
}

/// What a flight is for.
pub struct Flight {
    /// `None`: for one operation; nobody joins, nothing is kept.
    pub key: Option<LeaseKey>,
    pub session: Session,
    pub handle: Handle,
}

/// A flight that is over. Every request that waited for it settles with the same.
pub struct Landed {
    flight: FlightId,
    result: FetchResult,
}

enum FetchResult {
    /// Whatever keys there are now.
    Keys,
    Lease(Result<IssuedLease, Denial>),
}

/// A lease as it came.
#[derive(Clone)]
pub(crate) struct IssuedLease {
    pub lease: Rc<LiveLease>,
    pub lent: Lent,
}

// === impl Flights ===

impl Flights {
    /// The flight under way for this scope.
    pub fn to(&self, key: LeaseKey) -> Option<FlightId> {
        self.by_key.get(key.digest()).copied()
    }

    /// The number of a flight that is not for a lease.
    pub fn number(&mut self) -> FlightId {
        self.last += 1;
        FlightId::new(self.last)
    }

    pub fn open(&mut self, flight: Flight) -> FlightId {
        let id = self.number();
        if let Some(key) = flight.key {
            self.by_key.insert(*key.digest(), id);
        }
        self.open.insert(id, flight);
        id
    }

    /// The flight is over, whatever it brought. `None` if it was already.
    pub fn land(&mut self, id: FlightId) -> Option<Flight> {
        let flight = self.open.remove(&id)?;
        if let Some(key) = flight.key {
            self.by_key.remove(key.digest());
        }
        Some(flight)
    }
}

// === impl Flight ===

impl Flight {
    pub fn binding(&self) -> Binding {
        match self.key {
            Some(_) => Binding::Session,
            None => Binding::SingleUse,
        }
    }
}

// === impl Landed ===

impl Landed {
    pub fn flight(&self) -> FlightId {
        self.flight
    }

    pub(crate) fn with_keys(flight: FlightId) -> Self {
        Self { flight, result: FetchResult::Keys }
    }

    pub(crate) fn with_lease(flight: FlightId, lease: Result<IssuedLease, Denial>) -> Self {
        Self { flight, result: FetchResult::Lease(lease) }
    }

    /// # Errors
    /// Why there is none.
    pub(crate) fn lease(&self) -> Result<&IssuedLease, Denial> {
        match &self.result {
            FetchResult::Lease(lease) => lease.as_ref().map_err(|denial| *denial),
            FetchResult::Keys => Err(Denial::Internal),
        }
    }
}
