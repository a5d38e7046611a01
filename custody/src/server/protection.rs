//! How each listener is protected: whom its TLS files let in, and that nobody is let in at two.

use super::StartFault;
use crate::config::{Config, Protection};
use custody_base::files::Stamp;
use custody_base::tls::{self, TlsFault, TlsFiles};
use tokio_rustls::TlsAcceptor;

/// The TLS files of each listener that has some.
pub(super) struct Protected {
    edge: Option<TlsFiles>,
    admin: Option<TlsFiles>,
    workers: Option<TlsFiles>,
}

/// The TLS acceptors of the listeners.
#[derive(Default)]
pub(super) struct ListenerAcceptors {
    pub(super) edge: Option<TlsAcceptor>,
    pub(super) admin: Option<TlsAcceptor>,
    pub(super) workers: Option<TlsAcceptor>,
}

/// Of the files of each listener.
pub(super) type Stamps = [Stamp; 3];

// === impl Protected ===

impl Protected {
    pub(super) fn of(config: &Config) -> Self {
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

    /// Reads them. No client may have access to two listeners: an edge's certificate is in a machine that
    /// guests talk to, a worker's in many.
    pub(super) fn read_acceptors(&self) -> Result<ListenerAcceptors, StartFault> {
        let [edge, admin, workers] = self.each();
        let acceptors = ListenerAcceptors {
            edge: acceptor(edge, tls::TLS12_AND_13, StartFault::EdgeTls)?,
            admin: acceptor(admin, tls::TLS13_ONLY, StartFault::AdminTls)?,
            workers: acceptor(workers, tls::TLS13_ONLY, StartFault::WorkersTls)?,
        };
        ensure_disjoint_cas(("edge", edge), admin, StartFault::AdminTls)?;
        ensure_disjoint_cas(("edge", edge), workers, StartFault::WorkersTls)?;
        ensure_disjoint_cas(("admin", admin), workers, StartFault::WorkersTls)?;
        Ok(acceptors)
    }
}

fn acceptor(
    files: Option<&TlsFiles>,
    versions: tls::Versions,
    fault: fn(TlsFault) -> StartFault,
) -> Result<Option<TlsAcceptor>, StartFault> {
    files.map(|files| tls::acceptor(files, versions)).transpose().map_err(fault)
}

fn ensure_disjoint_cas(
    (name, one): (&'static str, Option<&TlsFiles>),
    other: Option<&TlsFiles>,
    fault: fn(TlsFault) -> StartFault,
) -> Result<(), StartFault> {
    match (one, other) {
        (Some(one), Some(other)) => tls::ensure_disjoint_cas(name, one, other).map_err(fault),
        _ => Ok(()),
    }
}
