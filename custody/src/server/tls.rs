//! TLS of the edge listener: a client certificate or no conversation.

use crate::config::TlsFiles;
use crate::files::{FileFault, Readers, read_private};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, version};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The TLS files do not serve. Texts begin with the field behind `edge.tls.`.
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

/// TLS 1.3 and 1.2 with ring; HTTP/2 and HTTP/1.1.
pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsFault> {
    let certificate = certificates("certificate", &files.certificate)?;
    let key_pem = read_private(&files.key, Readers::OwnerAndGroup)?;
    let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| TlsFault::Pem {
        field: "key",
        path: files.key.clone(),
        reason: error.to_string(),
    })?;
    let mut roots = RootCertStore::empty();
    for ca in certificates("client_ca", &files.client_ca)? {
        roots.add(ca).map_err(|error| TlsFault::ClientCa(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    // Without `allow_unauthenticated` a handshake without a client certificate fails.
    let edges = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| TlsFault::ClientCa(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(TlsFault::Pair)?
        .with_client_cert_verifier(edges)
        .with_single_cert(certificate, key)
        .map_err(TlsFault::Pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A resumed session would skip the client's certificate until it runs out.
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// All certificates of a PEM file; at least one.
pub(crate) fn certificates(
    field: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let fault = |reason: String| TlsFault::Pem { field, path: path.to_owned(), reason };
    let read: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| fault(error.to_string()))?;
    if read.is_empty() {
        return Err(fault("holds no certificate (PEM)".into()));
    }
    Ok(read)
}
