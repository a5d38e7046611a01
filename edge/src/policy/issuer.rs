//! Whose Session JWTs are good, and where the keys are.

use session::{KeySet, Rules};
use std::time::Duration;

/// One issuer. Its keys verify its own tokens, and no other issuer's.
#[derive(Debug)]
pub struct Issuer {
    pub rules: Rules,
    pub keys: KeySource,
}

/// Where the keys come from.
#[derive(Debug)]
pub enum KeySource {
    Fixed(KeySet),
    Fetched(KeyEndpoint),
}

/// Where a key set is fetched, how often, and how long it is valid.
#[derive(Clone, Debug)]
pub struct KeyEndpoint {
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
