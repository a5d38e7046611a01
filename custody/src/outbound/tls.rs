//! Whom a client trusts, and who it says it is.

use super::Reach;
use crate::server::tls::{TlsFault, certificates, private_key};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, version};
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;

/// The client cannot be built. The texts begin with the field.
#[derive(Debug, thiserror::Error)]
pub enum ReachFault {
    #[error(transparent)]
    Pem(#[from] TlsFault),
    #[error("ca: {0}")]
    Ca(rustls::Error),
    #[error("ca: is not given, and the operating system's own cannot be used: {0}")]
    System(rustls::Error),
    #[error("certificate: does not go with the key: {0}")]
    Pair(rustls::Error),
    #[error("{0}")]
    Client(String),
}

/// TLS 1.3 and 1.2 with ring; HTTP/2 and HTTP/1.1.
pub fn config(reach: &Reach) -> Result<ClientConfig, ReachFault> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(ReachFault::System)?;
    let builder = match &reach.ca {
        None => builder.with_platform_verifier().map_err(ReachFault::System)?,
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for ca in certificates("ca", path)? {
                roots.add(ca).map_err(ReachFault::Ca)?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let mut config = match &reach.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates("certificate", &identity.certificate)?;
            let key = private_key(&identity.key)?;
            builder.with_client_auth_cert(chain, key).map_err(ReachFault::Pair)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
