//! Custody, running: everything a configuration names, opened, served and closed in good order.

pub mod listener;
pub mod tls;

use crate::audit::writer::Writing;
use crate::audit::{AuditFault, AuditLog, Entry, Event, Outcome, recovery};
use crate::config::{Config, Protection};
use crate::http::{Service, admin_routes, edge_routes};
use crate::issue::Issuer;
use crate::metrics::Metrics;
use crate::store::root_key::{RootKey, RootKeyFault};
use crate::store::{Missing, SealedBackend, SealedStore, StoreFault};
use listener::Listener;
use session::Verifier;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tls::TlsFault;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A custody that listens but does not answer yet.
pub struct Server {
    edge: Listener,
    admin: Listener,
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
    #[error("audit.path: {0}")]
    Audit(#[from] recovery::OpenFault),
    #[error("audit.path: {0}")]
    AuditWrite(#[from] AuditFault),
    #[error("edge.tls.{0}")]
    Tls(#[from] TlsFault),
    #[error("{field}: cannot listen on {address}: {source}")]
    Listen { field: &'static str, address: SocketAddr, source: io::Error },
}

// === impl Server ===

impl Server {
    /// Opens everything and listens. What is wrong with the files shows here, not at the first
    /// lease.
    pub async fn start(config: Config) -> Result<Self, StartFault> {
        let acceptor = match &config.edge.protection {
            Protection::MutualTls(files) => Some(tls::acceptor(files)?),
            Protection::LoopbackPlaintext => None,
        };
        let root = RootKey::load(&config.storage.root_key)?;
        let path = &config.storage.store;
        let store = SealedStore::open(path, &root, Missing::Create)
            .map_err(|fault| StartFault::Store { path: path.clone(), fault })?;
        let edge_socket = bind("edge.listen", config.edge.listen).await?;
        let admin_socket = bind("admin.listen", config.admin.listen).await?;
        let (audit, writing) = AuditLog::start(recovery::open(&config.storage.audit)?).await?;
        audit.append(Entry::new(Event::Started, Outcome::Note)).await?;

        let metrics = Arc::new(Metrics::default());
        let verifier = Verifier::new(config.session.rules, config.session.keys);
        let issuer = Issuer::new(
            verifier,
            config.grants,
            audit.clone(),
            Arc::new(SealedBackend::new(store)),
            Arc::clone(&metrics),
        );
        let service =
            Service { issuer: Arc::new(issuer), audit: audit.clone(), metrics: metrics.clone() };
        let edge = Listener::new(edge_socket, acceptor, edge_routes(service.clone()), &metrics);
        let admin = Listener::new(admin_socket, None, admin_routes(service), &metrics);
        Ok(Self { edge, admin, audit, writing })
    }

    /// Where it listens; the port the system chose, if the configuration said 0.
    pub fn edge_address(&self) -> io::Result<SocketAddr> {
        self.edge.address()
    }

    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.address()
    }

    /// Serves until `stop` is true, then lets what is in flight finish (bounded) and closes the
    /// audit log.
    pub async fn serve(self, stop: watch::Receiver<bool>) -> Result<(), AuditFault> {
        let edge = tokio::spawn(self.edge.serve(stop.clone()));
        let admin = tokio::spawn(self.admin.serve(stop));
        // The listeners end by themselves; one that panicked has printed why.
        let _ = edge.await;
        let _ = admin.await;
        let stopped = self.audit.append(Entry::new(Event::Stopped, Outcome::Note)).await;
        let closed = self.audit.close().await;
        let writing = self.writing;
        let _ = tokio::task::spawn_blocking(move || writing.join()).await;
        stopped.and(closed)
    }
}

async fn bind(field: &'static str, address: SocketAddr) -> Result<TcpListener, StartFault> {
    TcpListener::bind(address).await.map_err(|source| StartFault::Listen { field, address, source })
}
