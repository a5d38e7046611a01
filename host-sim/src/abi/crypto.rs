//! `sign` and `verify_signature`, natively: RSA PKCS #1 v1.5 and ECDSA over P-256, P-384 and P-521, with
//! every hash Envoy has. What Envoy says of keys and hashes it cannot use is said here in its words.

mod keys;
mod sign;
mod verify;

pub(super) use sign::sign;
pub(super) use verify::verify_signature;

use crate::protobuf;
use crate::status::Status;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rsa::Pkcs1v15Sign;
use rsa::sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// A hash function of Envoy's.
#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// DER of `DigestInfo` up to the digest, for SHA-1 (RFC 8017 section 9.2).
const SHA1_PREFIX: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

// === impl Hash ===

impl Hash {
    /// In any case of letters; else what Envoy says.
    fn named(name: &[u8]) -> Result<Self, String> {
        let name = String::from_utf8_lossy(name);
        Ok(match name.to_ascii_lowercase().as_str() {
            "sha1" => Self::Sha1,
            "sha224" => Self::Sha224,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return Err(format!("{name} is not supported.")),
        })
    }

    fn of(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => digest(&SHA1_FOR_LEGACY_USE_ONLY, text).as_ref().to_vec(),
            Self::Sha224 => Sha224::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha384 => Sha384::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }

    fn padding(self) -> Pkcs1v15Sign {
        match self {
            Self::Sha1 => Pkcs1v15Sign { hash_len: Some(20), prefix: SHA1_PREFIX.into() },
            Self::Sha224 => Pkcs1v15Sign::new::<Sha224>(),
            Self::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
            Self::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        }
    }
}

/// A digest as long as the curve's order, `field` in bytes: ECDSA takes it as a number (FIPS 186-5,
/// section 6.4), so a shorter one is the same with zeros in front.
fn widened(mut digest: Vec<u8>, field: usize) -> Vec<u8> {
    let missing = field.saturating_sub(digest.len());
    digest.splice(..0, std::iter::repeat_n(0, missing));
    digest
}

/// The key of a request, from its field for DER or its field for PEM, of which only one may be there.
enum KeyText {
    Der(Vec<u8>),
    Pem(String),
}

// === impl KeyText ===

impl KeyText {
    fn of(argument: &[u8], der: u64, pem: u64) -> Result<Self, Status> {
        let field = |number| protobuf::bytes_field(argument, number).unwrap_or_default();
        let (der, pem) = (field(der), field(pem));
        match (der.is_empty(), pem.is_empty()) {
            (false, true) => Ok(Self::Der(der)),
            (true, false) => Ok(Self::Pem(String::from_utf8_lossy(&pem).into_owned())),
            _ => Err(Status::BadArgument),
        }
    }
}
