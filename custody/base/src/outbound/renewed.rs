//! A CA and a client certificate in files that somebody renews: each handshake takes what is there.

use super::{Identity, ReachFault};
use crate::files::Stamp;
use crate::tls::{certificates, private_key};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The content of the files, read again after they have changed. Files that do not serve are logged once, and
/// what was read before stays in force.
pub(super) struct Renewed {
    ca: Option<PathBuf>,
    identity: Option<Identity>,
    held: Mutex<(Stamp, Held)>,
}

#[derive(Clone)]
struct Held {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    pair: Option<Arc<CertifiedKey>>,
}

// === impl Renewed ===

impl Renewed {
    pub(super) fn read(
        ca: Option<PathBuf>,
        identity: Option<Identity>,
    ) -> Result<Self, ReachFault> {
        // Before the files are read, so that a change meanwhile is one.
        let stamp = stamp(ca.as_deref(), identity.as_ref());
        let held = Held::read(ca.as_deref(), identity.as_ref())?;
        Ok(Self { ca, identity, held: Mutex::new((stamp, held)) })
    }

    fn current(&self) -> Held {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(self.ca.as_deref(), self.identity.as_ref());
        if now != held.0 {
            held.0 = now;
            match Held::read(self.ca.as_deref(), self.identity.as_ref()) {
                Ok(read) => held.1 = read,
                Err(fault) => {
                    tracing::error!(%fault, "failed to read renewed TLS files: custody uses the old ones");
                }
            }
        }
        held.1.clone()
    }

    fn verifier(&self) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let verifier = self.current().verifier;
        verifier.ok_or_else(|| Error::General("no CA file is configured".into()))
    }
}

fn stamp(ca: Option<&Path>, identity: Option<&Identity>) -> Stamp {
    let identity = identity.into_iter().flat_map(|identity| [&identity.certificate, &identity.key]);
    Stamp::of(ca.into_iter().chain(identity.map(PathBuf::as_path)))
}

impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("ca", &self.ca).finish_non_exhaustive()
    }
}

// === impl Held ===

impl Held {
    fn read(ca: Option<&Path>, identity: Option<&Identity>) -> Result<Self, ReachFault> {
        let verifier = ca.map(verifier).transpose()?;
        let pair = identity.map(pair).transpose()?;
        Ok(Self { verifier, pair })
    }
}

fn verifier(ca: &Path) -> Result<Arc<WebPkiServerVerifier>, ReachFault> {
    let mut roots = RootCertStore::empty();
    for ca in certificates("ca", ca)? {
        roots.add(ca).map_err(|error| ReachFault::Ca(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| ReachFault::Ca(error.to_string()))
}

fn pair(identity: &Identity) -> Result<Arc<CertifiedKey>, ReachFault> {
    let chain = certificates("certificate", &identity.certificate)?;
    let key = private_key(&identity.key)?;
    let pair = CertifiedKey::from_der(chain, key, &ring::default_provider());
    pair.map(Arc::new).map_err(ReachFault::Pair)
}

impl ResolvesClientCert for Renewed {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.current().pair.filter(|pair| pair.key.choose_scheme(schemes).is_some())
    }

    fn has_certs(&self) -> bool {
        self.identity.is_some()
    }
}

impl ServerCertVerifier for Renewed {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()?.verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
