//! The client at the other end of a TLS connection.

use rustls::ServerConnection;
use std::sync::Arc;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The holder of a client certificate that was verified. In the extensions of every request that
/// came over mTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer(Arc<str>);

/// Longer names are cut off: they go into audit records.
const LONGEST: usize = 256;

// === impl Peer ===

impl Peer {
    /// From the connection's leaf certificate; `None` without one, or with one that has no name.
    pub fn of(connection: &ServerConnection) -> Option<Self> {
        let leaf = connection.peer_certificates()?.first()?;
        Self::of_certificate(leaf)
    }

    /// The first subject alternative name that is an e-mail address, a URI or a DNS name; without
    /// any, the common name. One whose alternative names cannot be read has no name.
    fn of_certificate(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let alternatives = certificate.subject_alternative_name().ok()?;
        let alternative_names =
            alternatives.into_iter().flat_map(|names| &names.value.general_names);
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        alternative_names.filter_map(text_of).chain(common).find_map(Self::from_text)
    }

    /// `None` if the text is empty.
    pub fn from_text(text: &str) -> Option<Self> {
        let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let text: String = text.chars().map(printable).take(LONGEST).collect();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

fn text_of<'n>(name: &GeneralName<'n>) -> Option<&'n str> {
    match name {
        GeneralName::RFC822Name(text) | GeneralName::URI(text) | GeneralName::DNSName(text) => {
            Some(text)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, SanType};

    fn name_of(common: &str, names: Vec<SanType>) -> Option<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = names;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Peer::of_certificate(certificate.der()).map(|peer| peer.name().to_owned())
    }

    #[test]
    fn the_alternative_name_counts_before_the_common_one() {
        let mail = SanType::Rfc822Name("ada@example.com".try_into().unwrap());
        let uri = SanType::URI("spiffe://example.com/ops".try_into().unwrap());
        let address = SanType::IpAddress("10.0.0.1".parse().unwrap());
        assert_eq!(name_of("ada", vec![]).as_deref(), Some("ada"));
        assert_eq!(
            name_of("ada", vec![address.clone(), uri]).as_deref(),
            Some("spiffe://example.com/ops")
        );
        assert_eq!(name_of("", vec![mail]).as_deref(), Some("ada@example.com"));
        assert_eq!(name_of("", vec![address]), None);
    }

    #[test]
    fn the_alternative_names_cannot_be_read_the_common_name_does_not_count() {
        let subject_alternative_name = [2, 5, 29, 17];
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "ada");
        let broken = vec![0x30, 0x03, 0x82, 0x7f, b'x'];
        params.custom_extensions =
            vec![CustomExtension::from_oid_content(&subject_alternative_name, broken)];
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(Peer::of_certificate(certificate.der()), None);
    }

    #[test]
    fn a_name_is_one_line_and_not_endless() {
        assert_eq!(Peer::from_text("a\nb").unwrap().name(), "a\u{fffd}b");
        assert_eq!(Peer::from_text(&"x".repeat(5000)).unwrap().name().len(), LONGEST);
        assert_eq!(Peer::from_text(""), None);
    }
}
