//! The certificates of a single machine: a CA, custody's server, and the edge as its client.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// PEM texts.
pub struct Certificates {
    pub ca: String,
    pub ca_key: String,
    pub server: String,
    pub server_key: String,
    pub client: String,
    pub client_key: String,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CA_DAYS: u32 = 3650;
const LEAF_DAYS: u32 = 825;
/// Clocks that are a little slow shall accept a fresh certificate.
const BACKDATED: Duration = Duration::from_secs(5 * 60);
/// Names the edge may call custody by.
const SERVER_NAMES: [&str; 5] = ["custody.internal", "custody", "localhost", "127.0.0.1", "::1"];

// === impl Certificates ===

impl Certificates {
    /// Fresh keys (ECDSA P-256) and certificates; `names` are further ones of the server.
    pub fn make(names: &[String]) -> Result<Self, Error> {
        let ca = CertifiedIssuer::self_signed(ca_params(), new_key()?)?;
        let own = SERVER_NAMES.map(str::to_owned);
        let all: Vec<String> = own.into_iter().chain(names.iter().cloned()).collect();
        let mut server = params(all, "custody", LEAF_DAYS)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut client = params(vec!["edge.internal".into()], "edge", LEAF_DAYS)?;
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (server_key, client_key) = (new_key()?, new_key()?);
        Ok(Self {
            ca: ca.pem(),
            ca_key: ca.key().serialize_pem(),
            server: server.signed_by(&server_key, &ca)?.pem(),
            server_key: server_key.serialize_pem(),
            client: client.signed_by(&client_key, &ca)?.pem(),
            client_key: client_key.serialize_pem(),
        })
    }
}

fn new_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn ca_params() -> CertificateParams {
    let mut ca = lasting(CertificateParams::default(), CA_DAYS);
    ca.distinguished_name.push(DnType::CommonName, "Leasehold custody CA");
    // Signs leaves only, no further CA.
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca
}

fn params(names: Vec<String>, common_name: &str, days: u32) -> Result<CertificateParams, Error> {
    let mut leaf = lasting(CertificateParams::new(names)?, days);
    leaf.distinguished_name.push(DnType::CommonName, common_name);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.use_authority_key_identifier_extension = true;
    Ok(leaf)
}

fn lasting(mut certificate: CertificateParams, days: u32) -> CertificateParams {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    certificate.distinguished_name = rcgen::DistinguishedName::new();
    certificate.not_before = epoch + now.saturating_sub(BACKDATED);
    certificate.not_after = epoch + now + DAY * days;
    certificate
}
