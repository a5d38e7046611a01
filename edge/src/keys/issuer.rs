//! Whoever publishes the keys.

use crate::callout::{Callout, Purpose};
use crate::flights::FlightId;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where a key set is fetched, how often, and how long it is believed.
#[derive(Clone, Debug)]
pub struct Issuer {
    pub cluster: String,
    pub authority: String,
    pub path: String,
    /// Between two fetches, give or take a tenth.
    pub refresh: Duration,
    /// How long the last good set stays while no fetch succeeds.
    pub keep: Duration,
    /// For one fetch.
    pub timeout: Duration,
}

// === impl Issuer ===

impl Issuer {
    pub fn callout(&self, flight: FlightId) -> Callout {
        Callout {
            purpose: Purpose::Keys(flight),
            cluster: self.cluster.clone(),
            authority: self.authority.clone(),
            method: "GET",
            path: self.path.clone(),
            body: Zeroizing::default(),
            timeout: self.timeout,
        }
    }
}
