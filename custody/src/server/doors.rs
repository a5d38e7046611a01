//! The sockets custody listens on, and who is let in at each.

use super::StartFault;
use super::renewal::{Acceptors, Renewal, Stamps};
use crate::config::{Config, Protection, TlsFiles};
use crate::files::Stamp;
use crate::tls::{self, TlsFault};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Every door, open: bound, and nobody served yet.
pub struct Doors {
    pub edge: Door,
    pub admin: Option<Door>,
    pub workers: Option<Door>,
    pub health: Door,
    pub renewal: Renewal,
}

/// A socket and how connections to it are secured.
pub struct Door {
    pub socket: TcpListener,
    pub tls: Acceptors,
}

/// The TLS files of each listener that has some.
pub(super) struct Protected {
    edge: Option<TlsFiles>,
    admin: Option<TlsFiles>,
    workers: Option<TlsFiles>,
}

/// The keys of the doors.
#[derive(Default)]
pub(super) struct Locks {
    pub(super) edge: Option<TlsAcceptor>,
    pub(super) admin: Option<TlsAcceptor>,
    pub(super) workers: Option<TlsAcceptor>,
}

// === impl Doors ===

impl Doors {
    /// # Errors
    /// A file does not serve, an address is taken, or two listeners trust one CA.
    pub async fn open(config: &Config) -> Result<Self, StartFault> {
        let renewal = Renewal::start(Protected::of(config))?;
        let [edge, admin, workers] = renewal.acceptors();
        let admin_at = config.admin.as_ref().map(|admin| admin.listen);
        let workers_at = config.workers.as_ref().map(|workers| workers.listen);
        Ok(Self {
            edge: Door::open("edge.listen", config.edge.listen, edge).await?,
            admin: Door::open_if("admin.listen", admin_at, admin).await?,
            workers: Door::open_if("workers.listen", workers_at, workers).await?,
            health: Door::open("health.listen", config.health.listen, None).await?,
            renewal,
        })
    }
}

/// Reads every TLS file, for `custody check`.
///
/// # Errors
/// A file does not serve, or two listeners trust one CA.
pub fn check(config: &Config) -> Result<(), StartFault> {
    Protected::of(config).locks().map(|_| ())
}

// === impl Protected ===

impl Protected {
    fn of(config: &Config) -> Self {
        let edge = match &config.edge.protection {
            Protection::MutualTls(files) => Some(files.clone()),
            Protection::LoopbackPlaintext => None,
        };
        let admin = config.admin.as_ref().map(|admin| admin.tls.clone());
        let workers = config.workers.as_ref().map(|workers| workers.tls.clone());
        Self { edge, admin, workers }
    }

    /// Of the listeners for edges, operators and workers.
    fn each(&self) -> [Option<&TlsFiles>; 3] {
        [&self.edge, &self.admin, &self.workers].map(Option::as_ref)
    }

    pub(super) fn stamps(&self) -> Stamps {
        self.each().map(|files| Stamp::of(files.into_iter().flat_map(TlsFiles::paths)))
    }

    /// Reads them. Whoever is let in at one door must not be at another: an edge's certificate is in a
    /// machine that guests talk to, a worker's in many.
    pub(super) fn locks(&self) -> Result<Locks, StartFault> {
        let [edge, admin, workers] = self.each();
        let locks = Locks {
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
        tls: Acceptors,
    ) -> Result<Self, StartFault> {
        let socket = TcpListener::bind(address).await;
        let socket = socket.map_err(|source| StartFault::Listen { field, address, source })?;
        Ok(Self { socket, tls })
    }

    async fn open_if(
        field: &'static str,
        address: Option<SocketAddr>,
        tls: Acceptors,
    ) -> Result<Option<Self>, StartFault> {
        match address {
            Some(address) => Self::open(field, address, tls).await.map(Some),
            None => Ok(None),
        }
    }
}
