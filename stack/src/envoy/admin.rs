//! Envoy's admin interface (loopback, HTTP/1.1, no authentication): stats, listeners, dumps.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::EnvoyError;

/// A way to question a running Envoy.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
}

// === impl Admin ===

impl Admin {
    /// The admin interface at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `GET path`, the body of a 200.
    ///
    /// # Errors
    /// [`EnvoyError::Admin`] on any other status or a broken answer.
    pub fn get(&self, path: &str) -> Result<String, EnvoyError> {
        Err(EnvoyError::Admin { path: path.to_owned(), reason: "being written".to_owned() })
    }

    /// `/stats?format=json`-less: every counter and gauge by its full name (no histograms).
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn stats(&self) -> Result<BTreeMap<String, u64>, EnvoyError> {
        Ok(BTreeMap::new())
    }

    /// One counter or gauge by its full name, 0 if Envoy does not have it (yet).
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn stat(&self, name: &str) -> Result<u64, EnvoyError> {
        Ok(self.stats()?.get(name).copied().unwrap_or(0))
    }

    /// `/stats/prometheus`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn prometheus(&self) -> Result<String, EnvoyError> {
        self.get("/stats/prometheus")
    }

    /// `/config_dump?include_eds`, everything Envoy would tell about its configuration.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn config_dump(&self) -> Result<String, EnvoyError> {
        self.get("/config_dump?include_eds")
    }

    /// The TCP listeners by name, with the ports they really got.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>, EnvoyError> {
        Ok(BTreeMap::new())
    }
}
