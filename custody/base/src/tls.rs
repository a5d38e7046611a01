//! TLS of the edge and the admin listener: a client certificate or no conversation.

mod name_restricted;
pub mod peer;

use crate::files::{FileFault, read_private};
use name_restricted::NameRestrictedVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Custody's own certificate chain.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The certificate authorities whose client certificates are edges, operators or workers.
    /// Everybody who holds one of theirs gets in, so this is a CA for nothing else.
    pub client_ca: PathBuf,
    /// Subject alternative names (DNS or URI), one of which a client has to have; `None`: any.
    pub client_names: Option<Vec<String>>,
}

/// The TLS files do not serve. Texts begin with the field behind `edge.tls.` or `admin.tls.`.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    #[error("{field}: {}: {reason}", path.display())]
    Pem { field: &'static str, path: PathBuf, reason: String },
    #[error("key: {0}")]
    Key(#[from] FileFault),
    #[error("certificate: does not go with the key: {0}")]
    Pair(rustls::Error),
    #[error("client_ca: {0}")]
    ClientCa(String),
}

/// The versions for edges.
pub const TLS12_AND_13: Versions = &[&version::TLS13, &version::TLS12];
/// The versions for operators and workers: their clients are ours, or recent.
pub const TLS13_ONLY: Versions = &[&version::TLS13];

pub type Versions = &'static [&'static SupportedProtocolVersion];

// === impl TlsFiles ===

impl TlsFiles {
    /// The paths of the files, for a watcher.
    pub fn paths(&self) -> [&Path; 3] {
        [&self.certificate, &self.key, &self.client_ca].map(PathBuf::as_path)
    }
}

/// TLS with ring; HTTP/2 and HTTP/1.1.
pub fn acceptor(files: &TlsFiles, versions: Versions) -> Result<TlsAcceptor, TlsFault> {
    let certificate = certificates("certificate", &files.certificate)?;
    let key = private_key(&files.key)?;
    let mut roots = RootCertStore::empty();
    for ca in certificates("client_ca", &files.client_ca)? {
        roots.add(ca).map_err(|error| TlsFault::ClientCa(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    // Without `allow_unauthenticated` a handshake without a client certificate fails.
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| TlsFault::ClientCa(error.to_string()))?;
    let clients = match &files.client_names {
        None => clients,
        Some(names) => Arc::new(NameRestrictedVerifier::new(clients, names.clone())),
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(TlsFault::Pair)?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificate, key)
        .map_err(TlsFault::Pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would skip the client's certificate until it runs out.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// No two listeners may trust one CA: a client of the one could call the other. `name` is the section of
/// `one`.
pub fn ensure_disjoint_cas(name: &str, one: &TlsFiles, other: &TlsFiles) -> Result<(), TlsFault> {
    let ones = certificates("client_ca", &one.client_ca)?;
    let others = certificates("client_ca", &other.client_ca)?;
    if others.iter().any(|ca| ones.contains(ca)) {
        return Err(TlsFault::ClientCa(format!(
            "holds a CA of {name}.tls.client_ca, so whoever may call there could call here; \
             give each listener a CA of its own"
        )));
    }
    Ok(())
}

/// All certificates of a PEM file; at least one.
pub(crate) fn certificates(
    field: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let fault = |reason: String| TlsFault::Pem { field, path: path.to_owned(), reason };
    let read: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| fault(reason_of(&error)))?;
    if read.is_empty() {
        return Err(fault("holds no certificate (PEM)".into()));
    }
    Ok(read)
}

/// The first private key of a PEM file that only its owner and group may read.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let pem = read_private(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        let reason = match error {
            pem::Error::NoItemsFound => "holds no private key (PEM)".to_owned(),
            other => reason_of(&other),
        };
        TlsFault::Pem { field: "key", path: path.to_owned(), reason }
    })
}

/// The library's own words quote bytes of the file as numbers.
fn reason_of(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => "ends within a PEM block: it is cut off".to_owned(),
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins a PEM block is none".to_owned()
        }
        other => format!("is not PEM: {other}"),
    }
}
