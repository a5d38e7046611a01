//! The sockets custody listens on, and how each is secured.

use super::StartFault;
use super::protection::Protected;
use super::renewal::{Acceptors, Renewal};
use crate::config::Config;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// All listeners: bound, and not serving yet.
pub struct Listeners {
    pub edge: BoundListener,
    pub admin: Option<BoundListener>,
    pub workers: Option<BoundListener>,
    pub health: BoundListener,
    pub renewal: Renewal,
}

/// A socket and how connections to it are secured.
pub struct BoundListener {
    pub socket: TcpListener,
    pub tls: Acceptors,
}

// === impl Listeners ===

impl Listeners {
    /// # Errors
    /// A file does not serve, an address is taken, or two listeners trust one CA.
    pub async fn open(config: &Config) -> Result<Self, StartFault> {
        let renewal = Renewal::start(Protected::of(config))?;
        let [edge, admin, workers] = renewal.acceptors();
        let admin_at = config.admin.as_ref().map(|admin| admin.listen);
        let workers_at = config.workers.as_ref().map(|workers| workers.listen);
        Ok(Self {
            edge: BoundListener::open("edge.listen", config.edge.listen, edge).await?,
            admin: BoundListener::open_if("admin.listen", admin_at, admin).await?,
            workers: BoundListener::open_if("workers.listen", workers_at, workers).await?,
            health: BoundListener::open("health.listen", config.health.listen, None).await?,
            renewal,
        })
    }
}

/// Reads every TLS file, for `custody check`.
///
/// # Errors
/// A file does not serve, or two listeners trust one CA.
pub fn check(config: &Config) -> Result<(), StartFault> {
    Protected::of(config).read_acceptors().map(|_| ())
}

// === impl BoundListener ===

impl BoundListener {
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
