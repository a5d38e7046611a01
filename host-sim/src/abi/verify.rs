//! `verify_signature`, natively.

use crate::protobuf;
use crate::status::Status;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::oid_registry::{OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What Envoy can hash with.
const HASHES: [&str; 5] = ["sha1", "sha224", "sha256", "sha384", "sha512"];
/// secp256r1 and secp384r1, by the length of an uncompressed point.
const P256_POINT: usize = 65;
const P384_POINT: usize = 97;

/// `VerifySignatureArguments {hash_function = 1, public_key = 2, signature = 3, text = 4,
/// public_key_pem = 5}` to `VerifySignatureResult {result = 1, error = 2}`.
///
/// The key is a SubjectPublicKeyInfo, as DER or as PEM, one of the two; ECDSA signatures are DER.
pub(super) fn verify_signature(argument: &[u8]) -> Result<Vec<u8>, Status> {
    if !protobuf::is_well_formed(argument) {
        return Err(Status::BadArgument);
    }
    let field = |number| protobuf::bytes_field(argument, number).unwrap_or_default();
    let (der, pem) = (field(2), field(5));
    let key = match (der.is_empty(), pem.is_empty()) {
        (false, true) => der,
        (true, false) => {
            let parsed = x509_parser::pem::parse_x509_pem(&pem).ok();
            parsed.map(|(_, pem)| pem.contents).unwrap_or_default()
        }
        _ => return Err(Status::BadArgument),
    };
    let mut result = Vec::new();
    match verify(&field(1), &key, &field(3), &field(4)) {
        Ok(()) => protobuf::push_number(&mut result, 1, 1),
        Err(error) => protobuf::push_bytes(&mut result, 2, error.as_bytes()),
    }
    Ok(result)
}

/// Whether it is right, or what Envoy says.
fn verify(hash: &[u8], key: &[u8], signature: &[u8], text: &[u8]) -> Result<(), String> {
    let hash = String::from_utf8_lossy(hash).into_owned();
    let lower = hash.to_ascii_lowercase();
    if !HASHES.contains(&lower.as_str()) {
        return Err(format!("{hash} is not supported."));
    }
    let unusable = || "Failed to initialize digest verify.".to_owned();
    let (_, info) = SubjectPublicKeyInfo::from_der(key).map_err(|_| unusable())?;
    let point: &[u8] = &info.subject_public_key.data;
    let algorithm = if info.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
        rsa(&lower)
    } else if info.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        ecdsa(point.len(), &lower)
    } else {
        // Ed25519 has no hash of its own to choose, which Envoy's call needs.
        return Err(unusable());
    };
    let verified = algorithm
        .map(|algorithm| UnparsedPublicKey::new(algorithm, point).verify(text, signature).is_ok());
    match verified {
        Some(true) => Ok(()),
        _ => Err("Failed to verify digest. Error code: 0".to_owned()),
    }
}

fn rsa(hash: &str) -> Option<&'static dyn VerificationAlgorithm> {
    match hash {
        "sha1" => Some(&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        "sha256" => Some(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        "sha384" => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        "sha512" => Some(&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}

fn ecdsa(point: usize, hash: &str) -> Option<&'static dyn VerificationAlgorithm> {
    match (point, hash) {
        (P256_POINT, "sha256") => Some(&signature::ECDSA_P256_SHA256_ASN1),
        (P256_POINT, "sha384") => Some(&signature::ECDSA_P256_SHA384_ASN1),
        (P384_POINT, "sha256") => Some(&signature::ECDSA_P384_SHA256_ASN1),
        (P384_POINT, "sha384") => Some(&signature::ECDSA_P384_SHA384_ASN1),
        _ => None,
    }
}
