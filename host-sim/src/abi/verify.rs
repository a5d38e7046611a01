//! `verify_signature`, natively.

use crate::protobuf;
use crate::status::Status;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::oid_registry::{OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// secp256r1 and secp384r1, by the length of an uncompressed point.
const P256_POINT: usize = 65;
const P384_POINT: usize = 97;

/// `VerifySignatureArguments {public_key = 1, hash_function = 2, signature = 3, text = 4}` to
/// `VerifySignatureResult {result = 1, error = 2}`.
///
/// The key is a SubjectPublicKeyInfo, DER or PEM; ECDSA signatures are DER.
pub(super) fn verify_signature(argument: &[u8]) -> Result<Vec<u8>, Status> {
    if !protobuf::is_well_formed(argument) {
        return Err(Status::BadArgument);
    }
    let field = |number| protobuf::bytes_field(argument, number).unwrap_or_default();
    let mut result = Vec::new();
    match verify(&field(1), &field(2), &field(3), &field(4)) {
        Ok(()) => protobuf::push_number(&mut result, 1, 1),
        Err(error) => protobuf::push_bytes(&mut result, 2, error.as_bytes()),
    }
    Ok(result)
}

fn verify(key: &[u8], hash: &[u8], signature: &[u8], text: &[u8]) -> Result<(), &'static str> {
    let hash = std::str::from_utf8(hash).unwrap_or_default().to_ascii_lowercase();
    let pem = x509_parser::pem::parse_x509_pem(key).ok().map(|(_, pem)| pem.contents);
    let der = pem.as_deref().unwrap_or(key);
    let Ok((_, info)) = SubjectPublicKeyInfo::from_der(der) else {
        return Err("Failed to parse public key.");
    };
    let point: &[u8] = &info.subject_public_key.data;
    let algorithm = if info.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION {
        rsa(&hash)
    } else if info.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        ecdsa(point.len(), &hash)
    } else {
        // Ed25519 has no separate hash, which Envoy's call needs.
        return Err("Failed to initialize digest verify.");
    };
    let algorithm = algorithm.ok_or("the hash function is not supported.")?;
    let verified = UnparsedPublicKey::new(algorithm, point).verify(text, signature);
    verified.map_err(|_| "Failed to verify digest.")
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
