//! Custody, running: everything a configuration names, opened, served and closed in good order.

pub mod listener;
mod named;
pub mod peer;
pub mod tls;

use crate::admin;
use crate::audit::writer::Writing;
use crate::audit::{AuditFault, AuditLog, Entry, Event, Outcome, recovery};
use crate::backend::assembly::{AssemblyFault, Own, assemble};
use crate::clock;
use crate::config::{AdminListener, Config, Protection};
use crate::feed::EdgeFeed;
use crate::grants::{GrantsFile, LiveGrants};
use crate::housekeeping;
use crate::http::{Places, Service, edge_routes, health_routes};
use crate::keys::SessionKeys;
use crate::leasing::{Leasing, Parts};
use crate::ledger::{self, Ledger, SqliteLedger};
use crate::metrics::Metrics;
use crate::outbound::ReachFault;
use crate::store::root_key::{RootKey, RootKeyFault};
use crate::store::{Missing, SealedBackend, SealedStore, StoreFault};
use listener::Listener;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tls::TlsFault;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A custody that listens but does not answer yet.
pub struct Server {
    edge: Listener,
    admin: Option<Listener>,
    health: Listener,
    feed: Arc<EdgeFeed>,
    grants: Arc<GrantsFile>,
    ledger: Arc<dyn Ledger>,
    audit: AuditLog,
    writing: Writing,
}

/// Custody cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error("store.root_key: {0}")]
    RootKey(#[from] RootKeyFault),
    #[error("store.path: {}: {fault}", path.display())]
    Store { path: PathBuf, fault: StoreFault },
    #[error(transparent)]
    Backend(#[from] AssemblyFault),
    #[error("store.path: {}: {fault}", path.display())]
    Ledger { path: PathBuf, fault: ledger::OpenFault },
    #[error("audit.path: {0}")]
    Audit(#[from] recovery::OpenFault),
    #[error("audit.path: {0}")]
    AuditWrite(#[from] AuditFault),
    #[error("edge.tls.{0}")]
    EdgeTls(TlsFault),
    #[error("admin.tls.{0}")]
    AdminTls(TlsFault),
    #[error("session.keys.{0}")]
    SessionKeys(#[from] ReachFault),
    #[error("{field}: cannot listen on {address}: {source}")]
    Listen { field: &'static str, address: SocketAddr, source: io::Error },
}

// === impl Server ===

impl Server {
    /// Opens everything and listens. What is wrong with the files shows here, not at the first
    /// lease. `file` is where the configuration was read from, and new grants will be.
    pub async fn start(config: Config, file: &Path) -> Result<Self, StartFault> {
        let (edge_tls, admin_tls) = acceptors(&config)?;
        let root = RootKey::load(&config.storage.root_key)?;
        let path = &config.storage.store;
        let store = SealedStore::open(path, &root, Missing::Create)
            .map_err(|fault| StartFault::Store { path: path.clone(), fault })?;
        let sealed = Arc::new(SealedBackend::new(store));
        let path = path.with_extension("ledger");
        let ledger: Arc<dyn Ledger> = Arc::new(
            SqliteLedger::open(&path, ledger::Missing::Create)
                .map_err(|fault| StartFault::Ledger { path: path.clone(), fault })?,
        );
        let own = Own { sealed: sealed.clone(), secrets: sealed, locks: ledger.clone() };
        let resolver = assemble(&config.backends, &config.credentials, own)?;
        let edge_socket = bind("edge.listen", config.edge.listen).await?;
        let health_socket = bind("health.listen", config.health.listen).await?;
        let admin_socket = match &config.admin {
            Some(admin) => Some(bind("admin.listen", admin.listen).await?),
            None => None,
        };
        let (audit, writing) = AuditLog::start(recovery::open(&config.storage.audit)?).await?;
        audit.append(Entry::new(Event::Started, Outcome::Note)).await?;

        let metrics = Arc::new(Metrics::default());
        let session_limits = config.session.limits;
        let keys = SessionKeys::open(config.session, &metrics).await?;
        let grants = Arc::new(LiveGrants::new(config.grants));
        let feed = EdgeFeed::new(ledger.clone(), grants.clone(), session_limits, clock::system());
        let places = Places::new(&config.limits);
        let leasing = Leasing::new(Parts {
            keys,
            session_limits,
            limits: config.limits,
            grants: grants.clone(),
            ledger: ledger.clone(),
            resolver: Arc::new(resolver),
            audit: audit.clone(),
            metrics: metrics.clone(),
            clock: clock::system(),
        });
        let feed = Arc::new(feed);
        let grants = Arc::new(GrantsFile::new(file.to_owned(), grants, audit.clone()));
        let service = Service {
            leasing: Arc::new(leasing),
            feed: feed.clone(),
            places,
            audit: audit.clone(),
            metrics: metrics.clone(),
        };
        let edge = Listener::new(edge_socket, edge_tls, edge_routes(service.clone()), &metrics);
        let admin = admin_socket
            .map(|socket| Listener::new(socket, admin_tls, admin::routes(&service), &metrics));
        let health = Listener::new(health_socket, None, health_routes(service), &metrics);
        Ok(Self { edge, admin, health, feed, grants, ledger, audit, writing })
    }

    /// Where it listens; the port the system chose, if the configuration said 0.
    pub fn edge_address(&self) -> io::Result<SocketAddr> {
        self.edge.address()
    }

    /// `None` without an `admin` section.
    pub fn admin_address(&self) -> io::Result<Option<SocketAddr>> {
        self.admin.as_ref().map(Listener::address).transpose()
    }

    /// By which the grants are reloaded.
    pub fn grants(&self) -> Arc<GrantsFile> {
        Arc::clone(&self.grants)
    }

    pub fn health_address(&self) -> io::Result<SocketAddr> {
        self.health.address()
    }

    /// Serves until `stop` is true, then lets what is in flight finish (bounded) and closes the
    /// audit log.
    pub async fn serve(self, stop: watch::Receiver<bool>) -> Result<(), AuditFault> {
        let listeners = [Some(self.edge), self.admin, Some(self.health)].into_iter().flatten();
        let serving: Vec<_> =
            listeners.map(|listener| tokio::spawn(listener.serve(stop.clone()))).collect();
        let (grants, watching) = (self.grants, stop.clone());
        tokio::spawn(async move { grants.watch(watching).await });
        tokio::spawn(housekeeping::keep(self.ledger, clock::system(), stop.clone()));
        let (feed, mut ending) = (self.feed, stop);
        tokio::spawn(async move {
            // Edges that wait for news would hold up the end.
            let _ = ending.wait_for(|stop| *stop).await;
            feed.close();
        });
        for listener in serving {
            // They end by themselves; one that panicked has printed why.
            let _ = listener.await;
        }
        let stopped = self.audit.append(Entry::new(Event::Stopped, Outcome::Note)).await;
        let closed = self.audit.close().await;
        let writing = self.writing;
        let _ = tokio::task::spawn_blocking(move || writing.join()).await;
        stopped.and(closed)
    }
}

/// For the edge and the admin listener.
type Acceptors = (Option<TlsAcceptor>, Option<TlsAcceptor>);

/// Reads every TLS file, and makes sure that no edge is an operator.
pub fn acceptors(config: &Config) -> Result<Acceptors, StartFault> {
    let edge_files = match &config.edge.protection {
        Protection::MutualTls(files) => Some(files),
        Protection::LoopbackPlaintext => None,
    };
    let edge = edge_files.map(|files| tls::acceptor(files, tls::EDGES));
    let edge = edge.transpose().map_err(StartFault::EdgeTls)?;
    let Some(AdminListener { tls: files, .. }) = &config.admin else {
        return Ok((edge, None));
    };
    let admin = tls::acceptor(files, tls::OPERATORS).map_err(StartFault::AdminTls)?;
    if let Some(edge_files) = edge_files {
        tls::apart(edge_files, files).map_err(StartFault::AdminTls)?;
    }
    Ok((edge, Some(admin)))
}

async fn bind(field: &'static str, address: SocketAddr) -> Result<TcpListener, StartFault> {
    TcpListener::bind(address).await.map_err(|source| StartFault::Listen { field, address, source })
}
