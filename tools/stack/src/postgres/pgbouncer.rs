//! A real PgBouncer in front of a [`Postgres`]: Debian's package. It does not run as root either.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::server::Postgres;
use super::template::write_private;
use super::unprivileged;
use crate::child::Running;
use crate::fetched::debian::Packaged;
use crate::folder::own;
use crate::ports;

const START: Duration = Duration::from_secs(20);
/// Connections to the server at once: no test waits for one.
const POOL_SIZE: usize = 60;

/// The program.
pub struct PgBouncer(Packaged);

/// How long a client keeps a connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    Session,
    Transaction,
    Statement,
}

/// A PgBouncer that runs until it is dropped. It takes connections without TLS.
pub struct RunningPgBouncer {
    address: SocketAddr,
    user: &'static str,
    password: String,
    _running: Running,
}

// === impl PgBouncer ===

impl PgBouncer {
    /// From the `PATH`, else from Debian's package.
    ///
    /// # Errors
    /// There is none, and no apt to fetch it with.
    pub fn locate_or_fetch(on_progress: &dyn Fn(&str)) -> Result<Self> {
        Packaged::locate_or_fetch("pgbouncer", "usr/sbin/pgbouncer", on_progress).map(Self)
    }

    /// Starts it in front of `server`, with its files in a new folder `pgbouncer` in `folder`.
    ///
    /// # Errors
    /// It does not come up; with the end of its log.
    pub fn start(
        &self,
        folder: &Path,
        server: &Postgres,
        mode: PoolMode,
    ) -> Result<RunningPgBouncer> {
        let folder = own(folder, "pgbouncer")?;
        let address = ports::free(ports::address()).context("a port for PgBouncer")?;
        let (user, password) = (server.user(), server.password().to_owned());
        let users =
            write_private(&folder.join("users.txt"), &format!("\"{user}\" \"{password}\"\n"))?;
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {}\n\
             default_pool_size = {POOL_SIZE}\nserver_tls_sslmode = verify-full\n\
             server_tls_ca_file = {}\n",
            server.address().ip(),
            server.address().port(),
            address.ip(),
            address.port(),
            users.display(),
            mode.name(),
            server.ca().display(),
        );
        let file = folder.join("pgbouncer.ini");
        fs::write(&file, settings).with_context(|| format!("writing {}", file.display()))?;
        let mut command = unprivileged::command(self.0.path());
        command.envs(self.0.environment()).arg(&file);
        let mut running = Running::start("pgbouncer", &command, &folder.join("pgbouncer.log"))?;
        running.wait_listening(address, START)?;
        Ok(RunningPgBouncer { address, user, password, _running: running })
    }
}

// === impl RunningPgBouncer ===

impl RunningPgBouncer {
    /// As [`Postgres::url`], through the pooler.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let Self { address, user, password, .. } = self;
        format!("postgres://{user}:{password}@{address}/{database}?sslmode=disable")
    }
}

// === impl PoolMode ===

impl PoolMode {
    /// As the configuration of PgBouncer calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        }
    }
}
