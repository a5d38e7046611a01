//! One leaf certificate: a host's name, a key of its own, a few days of life.

use crate::authority::{Authority, BACKDATED, WipedKey};
use crate::name::DnsName;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType, SerialNumber,
};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// A minted certificate and its key. Nothing prints the key: there is no `Debug`.
pub struct Leaf {
    pub certificate_pem: String,
    /// PKCS#8, wiped when the last holder lets go.
    pub key_pem: Zeroizing<String>,
    /// The serial number in hexadecimal: the version Envoy knows this leaf by.
    pub serial: String,
    pub not_after: SystemTime,
    /// From here on a new leaf is minted in its place: half its life.
    pub renew_after: SystemTime,
}

/// Common names are bounded by RFC 5280 appendix A.1 (`ub-common-name`).
const MAX_COMMON_NAME: usize = 64;

// === impl Leaf ===

impl Leaf {
    /// Signs a leaf for exactly `name`, living `life` from `now` but never longer than the
    /// authority.
    pub fn mint(
        authority: &Authority,
        name: &DnsName,
        life: Duration,
        now: SystemTime,
    ) -> Result<Self, rcgen::Error> {
        let not_after = (now + life).min(authority.not_after());
        let pair = WipedKey::generate()?;
        let serial = random_serial()?;
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.distinguished_name = subject(name);
        params.subject_alt_names = vec![SanType::DnsName(name.as_str().try_into()?)];
        params.not_before = (now - BACKDATED).into();
        params.not_after = not_after.into();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&pair, authority.issuer())?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            key_pem: pair.to_pem(),
            serial: base16ct::lower::encode_string(&serial),
            not_after,
            renew_after: now + not_after.duration_since(now).unwrap_or_default() / 2,
        })
    }
}

fn subject(name: &DnsName) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    // Names too long for a common name stand in the SAN alone; clients read nothing else.
    let common = if name.as_str().len() <= MAX_COMMON_NAME { name.as_str() } else { "leaf" };
    subject.push(DnType::CommonName, common);
    subject
}

/// 127 random bits under a one: positive, and always sixteen octets long (RFC 5280 section
/// 4.1.2.2 asks for at most twenty).
fn random_serial() -> Result<[u8; 16], rcgen::Error> {
    let bytes: [u8; 16] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .map_err(|_| rcgen::Error::RingUnspecified)?
        .expose();
    Ok((u128::from_be_bytes(bytes) & (u128::MAX >> 1) | 1 << 126).to_be_bytes())
}
