//! Where the keys of Session JWTs come from.

use session::KeySet;
use std::time::Duration;

/// Where the keys come from.
#[derive(Debug)]
pub enum KeySource {
    Fixed(KeySet),
    Fetched(Issuer),
}

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
