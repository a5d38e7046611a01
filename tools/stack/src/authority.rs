//! A certificate authority that lives as long as one stack, for the origins Envoy calls
//! and for the servers custody calls.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};

/// A throwaway root; its key never leaves this process.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

// === impl Authority ===

impl Authority {
    /// Makes a root with a key of its own (ECDSA P-256).
    ///
    /// # Errors
    /// No randomness to be had.
    pub fn new(common_name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("making the key of a throwaway CA")?;
        let issuer = CertifiedIssuer::self_signed(params, key)
            .context("signing the certificate of a throwaway CA")?;
        Ok(Self { issuer })
    }

    /// The root certificate, PEM: what a client of its servers has to trust.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A new certificate for `names` (IP addresses too), and its key: both PEM.
    ///
    /// # Errors
    /// A name that can stand in no certificate.
    pub fn identity(&self, names: &[String]) -> Result<[String; 2]> {
        let (leaf, key) = self.leaf(names)?;
        Ok([leaf.pem(), key.serialize_pem()])
    }

    /// A TLS server with a new certificate for `names`, offering `alpn` in that order, that speaks
    /// these versions of TLS.
    ///
    /// # Errors
    /// A name that can stand in no certificate.
    pub fn server(
        &self,
        names: &[String],
        alpn: &[&str],
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Arc<ServerConfig>> {
        let (leaf, key) = self.leaf(names)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .context("choosing TLS versions")?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .context("an origin's certificate and key")?;
        server.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(server))
    }

    fn leaf(&self, names: &[String]) -> Result<(Certificate, KeyPair)> {
        let mut params = CertificateParams::new(names.to_vec())
            .with_context(|| format!("a certificate for {names:?}"))?;
        params.distinguished_name.push(DnType::CommonName, "leasehold throwaway server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context("making the key of a server")?;
        let leaf = params.signed_by(&key, &self.issuer).context("signing a server's leaf")?;
        Ok((leaf, key))
    }
}
