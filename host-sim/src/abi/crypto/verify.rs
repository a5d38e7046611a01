//! `verify_signature`.

use super::keys::Public;
use super::{Hash, KeyText, widened};
use crate::protobuf;
use crate::status::Status;
use p256::ecdsa::signature::hazmat::PrehashVerifier;

/// `VerifySignatureArguments {hash_function = 1, public_key = 2, signature = 3, text = 4,
/// public_key_pem = 5}` to `VerifySignatureResult {result = 1, error = 2}`.
///
/// The key is a SubjectPublicKeyInfo, as DER or as PEM, one of the two; ECDSA signatures are DER.
pub(in crate::abi) fn verify_signature(argument: &[u8]) -> Result<Vec<u8>, Status> {
    if !protobuf::is_well_formed(argument) {
        return Err(Status::BadArgument);
    }
    let field = |number| protobuf::bytes_field(argument, number).unwrap_or_default();
    let key = KeyText::of(argument, 2, 5)?;
    let mut result = Vec::new();
    match verify(&field(1), &key, &field(3), &field(4)) {
        Ok(()) => protobuf::push_number(&mut result, 1, 1),
        Err(error) => protobuf::push_bytes(&mut result, 2, error.as_bytes()),
    }
    Ok(result)
}

/// Whether it is right, or what Envoy says.
fn verify(hash: &[u8], key: &KeyText, signature: &[u8], text: &[u8]) -> Result<(), String> {
    let hash = Hash::named(hash)?;
    let key = Public::read(key).ok_or("Failed to initialize digest verify.")?;
    if is_right(hash, &key, signature, text) {
        Ok(())
    } else {
        Err("Failed to verify digest. Error code: 0".to_owned())
    }
}

fn is_right(hash: Hash, key: &Public, signature: &[u8], text: &[u8]) -> bool {
    macro_rules! ecdsa {
        ($curve:ident, $key:expr, $field:literal) => {
            $curve::ecdsa::Signature::from_der(signature).is_ok_and(|signature| {
                $key.verify_prehash(&widened(hash.of(text), $field), &signature).is_ok()
            })
        };
    }
    match key {
        Public::Rsa(key) => key.verify(hash.padding(), &hash.of(text), signature).is_ok(),
        Public::P256(key) => ecdsa!(p256, key, 32),
        Public::P384(key) => ecdsa!(p384, key, 48),
        Public::P521(key) => ecdsa!(p521, key, 66),
    }
}
