//! The certificates of a single machine: a CA with custody's server and the edge as its client, another
//! with the operator, and a third with a worker: so that none of them can ever be another.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What `custody init` makes.
pub struct Certificates {
    pub ca: Pair,
    pub server: Pair,
    pub edge: Pair,
    pub operator_ca: Pair,
    pub operator: Pair,
    pub worker_ca: Pair,
    pub worker: Pair,
}

/// PEM texts.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CA_DAYS: u32 = 3650;
/// The most that every client accepts: some refuse a certificate whose whole validity is longer.
const LEAF_DAYS: u32 = 825;
/// Clocks that are a little slow shall accept a fresh certificate.
const BACKDATED: Duration = Duration::from_secs(5 * 60);
/// Names the edge may call custody by.
const SERVER_NAMES: [&str; 5] = ["custody.internal", "custody", "localhost", "127.0.0.1", "::1"];

// === impl Certificates ===

impl Certificates {
    /// Fresh keys (ECDSA P-256) and certificates; `names` are further ones of the server.
    pub fn make(names: &[String]) -> Result<Self, Error> {
        let ca = authority("Leasehold custody CA")?;
        let operators = authority("Leasehold operators CA")?;
        let workers = authority("Leasehold workers CA")?;
        let own = SERVER_NAMES.map(str::to_owned);
        let all: Vec<String> = own.into_iter().chain(names.iter().cloned()).collect();
        let (server, client) =
            (ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth);
        Ok(Self {
            server: leaf(all, "custody", server, &ca)?,
            edge: leaf(vec!["edge.internal".into()], "edge", client.clone(), &ca)?,
            operator: leaf(Vec::new(), "operator", client.clone(), &operators)?,
            worker: leaf(Vec::new(), "worker", client, &workers)?,
            ca: pair_of(&ca),
            operator_ca: pair_of(&operators),
            worker_ca: pair_of(&workers),
        })
    }
}

fn new_key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn authority(common_name: &str) -> Result<Authority, Error> {
    let mut ca = lasting(CertificateParams::default(), CA_DAYS)?;
    ca.distinguished_name.push(DnType::CommonName, common_name);
    // Signs leaves only, no further CA.
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(ca, new_key()?)
}

fn pair_of(authority: &Authority) -> Pair {
    Pair { certificate: authority.pem(), key: authority.key().serialize_pem() }
}

fn leaf(
    names: Vec<String>,
    common_name: &str,
    purpose: ExtendedKeyUsagePurpose,
    authority: &Authority,
) -> Result<Pair, Error> {
    let mut leaf = lasting(CertificateParams::new(names)?, LEAF_DAYS)?;
    leaf.distinguished_name.push(DnType::CommonName, common_name);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![purpose];
    leaf.use_authority_key_identifier_extension = true;
    let key = new_key()?;
    Ok(Pair { certificate: leaf.signed_by(&key, authority)?.pem(), key: key.serialize_pem() })
}

/// # Errors
/// The clock is before 1970: a certificate from then on would have ended long ago when the clock is right.
fn since_epoch(now: SystemTime) -> Result<Duration, Error> {
    now.duration_since(UNIX_EPOCH).map_err(|_| Error::Time)
}

fn lasting(mut certificate: CertificateParams, days: u32) -> Result<CertificateParams, Error> {
    let now = since_epoch(SystemTime::now())?;
    let epoch = date_time_ymd(1970, 1, 1);
    certificate.distinguished_name = rcgen::DistinguishedName::new();
    let begin = now.saturating_sub(BACKDATED);
    certificate.not_before = epoch + begin;
    // Both ends are part of the validity (RFC 5280 section 4.1.2.5).
    certificate.not_after = epoch + begin + DAY * days - Duration::from_secs(1);
    Ok(certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_before_1970_no_certificate_is_made() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert!(matches!(since_epoch(before), Err(Error::Time)));
        assert_eq!(since_epoch(UNIX_EPOCH).unwrap(), Duration::ZERO);
    }
}
