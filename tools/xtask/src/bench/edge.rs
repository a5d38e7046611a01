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

/// How Envoy names the threads of its workers.
const WORKER: &str = "wrk:";

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
        self.cpu_of("")
    }

    /// The same of its workers.
    ///
    /// # Errors
    /// The process is gone.
    pub fn worker_cpu(&self) -> Result<Duration> {
        self.cpu_of(WORKER)
    }

    /// The same of the threads whose names begin so.
    fn cpu_of(&self, name: &str) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.envoy.pid());
        let mut nanoseconds = 0;
        for task in fs::read_dir(&tasks).with_context(|| tasks.clone())? {
            let task = task?.path();
            let read = |name: &str| {
                let file = task.join(name);
                fs::read_to_string(&file).with_context(|| file.display().to_string())
            };
            if !read("comm")?.starts_with(name) {
                continue;
            }
            let text = read("schedstat")?;
            let first =
                text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
            nanoseconds += first.with_context(|| format!("{}: {text}", task.display()))?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// A gauge or counter by its full name.
    ///
    /// # Errors
    /// Envoy does not answer.
    pub fn stat(&self, name: &str) -> Result<u64> {
        // Only what matches is written out, so that to look often costs little.
        let admin = self.envoy.admin();
        let text = admin.get(&format!("/stats?filter={}", name.replace('.', "%5C.")))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        Ok(line.and_then(|value| value.parse().ok()).unwrap_or_default())
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
