//! An Envoy that is measured.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use stack::envoy::Envoy;

use super::tunnel::Tunnel;

/// A running Envoy, and how wrk reaches it.
pub struct Edge {
    name: String,
    envoy: Envoy,
    tunnel: Option<Tunnel>,
}

// === impl Edge ===

impl Edge {
    pub fn new(name: &str, envoy: Envoy) -> Self {
        Self { name: name.to_owned(), envoy, tunnel: None }
    }

    /// Guests come through tunnels that this session opens.
    ///
    /// # Errors
    /// No port to be had.
    pub fn through_tunnels(mut self, authority: &str, session: &str) -> Result<Self> {
        self.tunnel = Some(Tunnel::start(self.envoy.listen_address(), authority, session)?);
        Ok(self)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        match &self.tunnel {
            // wrk takes the name it shows in its handshake from here.
            Some(tunnel) => format!("https://localhost:{}/", tunnel.address().port()),
            None => format!("http://{}/", self.address()),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.envoy.listen_address()
    }

    /// CPU time of the process so far, user and system: what `utime` and `stime` of
    /// `/proc/PID/stat` are made from, in nanoseconds in place of hundredths of a second.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu(&self) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.envoy.pid());
        let mut nanoseconds = 0;
        for task in fs::read_dir(&tasks).with_context(|| tasks.clone())? {
            let file = task?.path().join("schedstat");
            let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            let first =
                text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
            nanoseconds += first.with_context(|| format!("{}: {text}", file.display()))?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Resident memory, bytes.
    ///
    /// # Errors
    /// The process is gone.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    pub fn memory(&self) -> Result<f64> {
        Ok(self.envoy.resident_bytes()? as f64)
    }
}
