//! The CAs that a client trusts, and its own certificate.

use super::renewed::Renewed;
use super::{Reach, ReachFault};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, version};
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;

/// TLS 1.3 and 1.2 with ring; HTTP/2 and HTTP/1.1. Files are read now, and again for the handshake after
/// they have changed.
pub fn config(reach: &Reach) -> Result<ClientConfig, ReachFault> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(ReachFault::System)?;
    let renewed = Arc::new(Renewed::read(reach.ca.clone(), reach.identity.clone())?);
    let builder = match &reach.ca {
        None => builder.with_platform_verifier().map_err(ReachFault::System)?,
        Some(_) => builder.dangerous().with_custom_certificate_verifier(renewed.clone()),
    };
    let mut config = match &reach.identity {
        None => builder.with_no_client_auth(),
        Some(_) => builder.with_client_cert_resolver(renewed),
    };
    if reach.ca.is_some() || reach.identity.is_some() {
        // A resumed session would believe, and show, the files of its first handshake.
        config.resumption = Resumption::disabled();
    }
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
