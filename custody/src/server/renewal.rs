//! TLS files that are renewed while custody serves: read again when they change, all or none.

use super::StartFault;
use super::protection::{ListenerAcceptors, Protected, Stamps};
use custody_base::files::Stamp;
use std::time::Duration;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// The certificates in force at each listener, and the files that they were read from.
pub struct Renewal {
    files: Protected,
    /// The stamps of the last read, also of one that failed.
    read: Stamps,
    edge: InForce,
    admin: InForce,
    workers: InForce,
}

/// The acceptor that a listener uses now.
struct InForce {
    stamp: Stamp,
    acceptor: Option<watch::Sender<TlsAcceptor>>,
}

/// The receiver by which a listener gets each later acceptor; `None` without TLS.
pub type Acceptors = Option<watch::Receiver<TlsAcceptor>>;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

// === impl Renewal ===

impl Renewal {
    /// Reads the files.
    ///
    /// # Errors
    /// One does not serve, or two listeners trust one CA.
    pub(super) fn start(files: Protected) -> Result<Self, StartFault> {
        // Before they are read, so that a change meanwhile is one.
        let read = files.stamps();
        let ListenerAcceptors { edge, admin, workers } = files.read_acceptors()?;
        let [of_edge, of_admin, of_workers] = read.clone();
        Ok(Self {
            files,
            read,
            edge: InForce::new(of_edge, edge),
            admin: InForce::new(of_admin, admin),
            workers: InForce::new(of_workers, workers),
        })
    }

    /// Of the listeners for edges, operators and workers.
    pub(super) fn acceptors(&self) -> [Acceptors; 3] {
        [&self.edge, &self.admin, &self.workers].map(InForce::subscribe)
    }

    /// Reads the files again whenever they have become others and stayed those for a look; until `stop`.
    pub(super) async fn watch(mut self, mut stop: watch::Receiver<bool>) {
        let mut before = self.read.clone();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = self.files.stamps();
            if now != self.read && now == before {
                self.read = now.clone();
                self.renew(now.clone());
            }
            before = now;
        }
    }

    fn renew(&mut self, [of_edge, of_admin, of_workers]: Stamps) {
        let ListenerAcceptors { edge, admin, workers } = match self.files.read_acceptors() {
            Ok(acceptors) => acceptors,
            Err(fault) => {
                tracing::error!(%fault, "failed to read renewed TLS files: custody uses the old ones");
                return;
            }
        };
        self.edge.renew("edge", of_edge, edge);
        self.admin.renew("admin", of_admin, admin);
        self.workers.renew("workers", of_workers, workers);
    }
}

// === impl InForce ===

impl InForce {
    fn new(stamp: Stamp, acceptor: Option<TlsAcceptor>) -> Self {
        Self { stamp, acceptor: acceptor.map(watch::Sender::new) }
    }

    fn subscribe(&self) -> Acceptors {
        self.acceptor.as_ref().map(watch::Sender::subscribe)
    }

    fn renew(&mut self, listener: &'static str, stamp: Stamp, renewed: Option<TlsAcceptor>) {
        if let (Some(acceptor), Some(renewed)) = (&self.acceptor, renewed)
            && self.stamp != stamp
        {
            acceptor.send_replace(renewed);
            tracing::info!(listener, "loaded renewed TLS files");
        }
        self.stamp = stamp;
    }
}
