//! Client certificates that must also have one of the right names.
//!
//! Without it every certificate of the CA gets in; with it a CA that signs for others too (for example a
//! mesh's) will do.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Asks another verifier first, and then for a name.
#[derive(Debug)]
pub(super) struct NameRestrictedVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    /// Subject alternative names: DNS names or URIs.
    names: Vec<String>,
}

// === impl NameRestrictedVerifier ===

impl NameRestrictedVerifier {
    pub(super) fn new(chain: Arc<dyn ClientCertVerifier>, names: Vec<String>) -> Self {
        Self { chain, names }
    }

    /// Names of other kinds, and the common name, do not count.
    fn has_allowed_name(&self, leaf: &[u8]) -> bool {
        let Ok((_, leaf)) = X509Certificate::from_der(leaf) else { return false };
        let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return false };
        alternatives.value.general_names.iter().any(|name| match name {
            // A wildcard stands for nobody here: it is compared as it is written.
            GeneralName::DNSName(dns) => self.names.iter().any(|own| own.eq_ignore_ascii_case(dns)),
            GeneralName::URI(uri) => self.names.iter().any(|own| own == uri),
            _ => false,
        })
    }
}

impl ClientCertVerifier for NameRestrictedVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(leaf, intermediates, now)?;
        if self.has_allowed_name(leaf) {
            Ok(verified)
        } else {
            Err(Error::InvalidCertificate(CertificateError::NotValidForName))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
