//! The sockets custody listens on, and who is let in at each.

use super::StartFault;
use super::tls::{self, TlsFault};
use crate::config::{Config, Protection, TlsFiles};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Every door, open: bound, and nobody served yet.
pub struct Doors {
    pub edge: Door,
    pub admin: Option<Door>,
    pub workers: Option<Door>,
    pub health: Door,
}

/// A socket and how connections to it are secured.
pub struct Door {
    pub socket: TcpListener,
    pub tls: Option<TlsAcceptor>,
}

/// The keys of the doors.
#[derive(Default)]
struct Locks {
    edge: Option<TlsAcceptor>,
    admin: Option<TlsAcceptor>,
    workers: Option<TlsAcceptor>,
}

// === impl Doors ===

impl Doors {
    /// # Errors
    /// A file does not serve, an address is taken, or two listeners trust one CA.
    pub async fn open(config: &Config) -> Result<Self, StartFault> {
        let Locks { edge, admin, workers } = Locks::of(config)?;
        let admin_at = config.admin.as_ref().map(|admin| admin.listen);
        let workers_at = config.workers.as_ref().map(|workers| workers.listen);
        Ok(Self {
            edge: Door::open("edge.listen", config.edge.listen, edge).await?,
            admin: Door::open_if("admin.listen", admin_at, admin).await?,
            workers: Door::open_if("workers.listen", workers_at, workers).await?,
            health: Door::open("health.listen", config.health.listen, None).await?,
        })
    }
}

/// Reads every TLS file, for `custody check`.
///
/// # Errors
/// A file does not serve, or two listeners trust one CA.
pub fn check(config: &Config) -> Result<(), StartFault> {
    Locks::of(config).map(|_| ())
}

// === impl Locks ===

impl Locks {
    /// Whoever is let in at one door must not be at another: an edge's certificate is in a machine
    /// that guests talk to, a worker's in many.
    fn of(config: &Config) -> Result<Self, StartFault> {
        let edge = match &config.edge.protection {
            Protection::MutualTls(files) => Some(files),
            Protection::LoopbackPlaintext => None,
        };
        let admin = config.admin.as_ref().map(|admin| &admin.tls);
        let workers = config.workers.as_ref().map(|workers| &workers.tls);
        let locks = Self {
            edge: acceptor(edge, tls::EDGES, StartFault::EdgeTls)?,
            admin: acceptor(admin, tls::YOUNG, StartFault::AdminTls)?,
            workers: acceptor(workers, tls::YOUNG, StartFault::WorkersTls)?,
        };
        apart(("edge", edge), admin, StartFault::AdminTls)?;
        apart(("edge", edge), workers, StartFault::WorkersTls)?;
        apart(("admin", admin), workers, StartFault::WorkersTls)?;
        Ok(locks)
    }
}

fn acceptor(
    files: Option<&TlsFiles>,
    versions: tls::Versions,
    fault: fn(TlsFault) -> StartFault,
) -> Result<Option<TlsAcceptor>, StartFault> {
    files.map(|files| tls::acceptor(files, versions)).transpose().map_err(fault)
}

fn apart(
    (name, one): (&'static str, Option<&TlsFiles>),
    other: Option<&TlsFiles>,
    fault: fn(TlsFault) -> StartFault,
) -> Result<(), StartFault> {
    match (one, other) {
        (Some(one), Some(other)) => tls::apart(name, one, other).map_err(fault),
        _ => Ok(()),
    }
}

// === impl Door ===

impl Door {
    async fn open(
        field: &'static str,
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
    ) -> Result<Self, StartFault> {
        let socket = TcpListener::bind(address).await;
        let socket = socket.map_err(|source| StartFault::Listen { field, address, source })?;
        Ok(Self { socket, tls })
    }

    async fn open_if(
        field: &'static str,
        address: Option<SocketAddr>,
        tls: Option<TlsAcceptor>,
    ) -> Result<Option<Self>, StartFault> {
        match address {
            Some(address) => Self::open(field, address, tls).await.map(Some),
            None => Ok(None),
        }
    }
}
