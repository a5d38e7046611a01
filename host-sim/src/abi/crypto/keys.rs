//! Keys, in the encodings BoringSSL reads: SubjectPublicKeyInfo; PKCS #8, and in PEM also PKCS #1 and
//! SEC 1.

use super::KeyText;
use p256::pkcs8::DecodePrivateKey as _;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

pub(super) enum Public {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

pub(super) enum Private {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    /// A key that signs without a hash of its choosing, which Envoy's call cannot.
    Edwards,
}

/// Bits; BoringSSL's limit.
const MAX_RSA: usize = 16 * 1024;
/// An Ed25519 key in PKCS #8, up to the key itself (RFC 8410). Of the later form with a public key in
/// it BoringSSL makes nothing.
const ED25519: [u8; 12] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

// === impl Public ===

impl Public {
    /// `None` where it is no key, or none that signs a digest.
    pub fn read(text: &KeyText) -> Option<Self> {
        let der = match text {
            KeyText::Der(der) => der.clone(),
            KeyText::Pem(pem) => x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?.1.contents,
        };
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).ok()?;
        let point = &info.subject_public_key.data;
        match info.parsed().ok()? {
            PublicKey::RSA(key) => {
                let number = BigUint::from_bytes_be;
                let (n, e) = (number(key.modulus), number(key.exponent));
                RsaPublicKey::new_with_max_size(n, e, MAX_RSA).ok().map(Self::Rsa)
            }
            PublicKey::EC(_) => {
                let p256 = || p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P256);
                let p384 = || p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P384);
                let p521 = || p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Self::P521);
                p256().or_else(|_| p384()).or_else(|_| p521()).ok()
            }
            _ => None,
        }
    }
}

// === impl Private ===

impl Private {
    pub fn read(text: &KeyText) -> Option<Self> {
        match text {
            KeyText::Der(der) => Self::from_der(der),
            KeyText::Pem(pem) => Self::from_pem(pem),
        }
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        let rsa = || RsaPrivateKey::from_pkcs8_der(der).ok().map(|key| Self::Rsa(Box::new(key)));
        let p256 = || p256::SecretKey::from_pkcs8_der(der).ok().map(|key| Self::P256(key.into()));
        let p384 = || p384::SecretKey::from_pkcs8_der(der).ok().map(|key| Self::P384(key.into()));
        let p521 = || p521::SecretKey::from_pkcs8_der(der).ok().map(|key| Self::P521(key.into()));
        let edwards = || der.starts_with(&ED25519).then_some(Self::Edwards);
        rsa().or_else(p256).or_else(p384).or_else(p521).or_else(edwards)
    }

    fn from_pem(pem: &str) -> Option<Self> {
        let (_, parsed) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
        match parsed.label.as_str() {
            "PRIVATE KEY" => Self::from_der(&parsed.contents),
            "RSA PRIVATE KEY" => {
                let key = RsaPrivateKey::from_pkcs1_der(&parsed.contents).ok()?;
                Some(Self::Rsa(Box::new(key)))
            }
            "EC PRIVATE KEY" => {
                let der = &parsed.contents;
                let p256 =
                    || p256::SecretKey::from_sec1_der(der).ok().map(|k| Self::P256(k.into()));
                let p384 =
                    || p384::SecretKey::from_sec1_der(der).ok().map(|k| Self::P384(k.into()));
                let p521 =
                    || p521::SecretKey::from_sec1_der(der).ok().map(|k| Self::P521(k.into()));
                p256().or_else(p384).or_else(p521)
            }
            _ => None,
        }
    }
}
