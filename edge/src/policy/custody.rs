//! Whom to ask for a lease.

use std::time::Duration;

/// How custody is reached: by a callout to an Envoy cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custody {
    pub cluster: String,
    /// The `:authority` of the callout.
    pub authority: String,
    /// How long a request waits for its lease.
    pub timeout: Duration,
    /// How custody is asked for revocations; `None`: not at all.
    pub sync: Option<SyncSettings>,
}

/// How custody's `GET /v1/sync` is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncSettings {
    /// How long custody may hold back an answer without changes.
    pub wait: Duration,
    /// A request that needs a credential is denied if custody's last answer is older.
    pub max_staleness: Duration,
}
