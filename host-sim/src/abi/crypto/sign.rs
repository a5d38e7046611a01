//! `sign`.

use super::keys::Private;
use super::{Hash, KeyText, widened};
use crate::protobuf;
use crate::status::Status;
use p256::ecdsa::signature::hazmat::PrehashSigner;

/// `SignArguments {hash_function = 1, private_key = 2, text = 3, private_key_pem = 4}` to
/// `SignResult {result = 1, signature = 2, error = 3}`.
///
/// ECDSA signatures are DER. They are the same each time here (RFC 6979), and not in Envoy.
pub(in crate::abi) fn sign(argument: &[u8]) -> Result<Vec<u8>, Status> {
    if !protobuf::is_well_formed(argument) {
        return Err(Status::BadArgument);
    }
    let field = |number| protobuf::bytes_field(argument, number).unwrap_or_default();
    let key = KeyText::of(argument, 2, 4)?;
    let mut result = Vec::new();
    match signature(&field(1), &key, &field(3)) {
        Ok(signature) => {
            protobuf::push_number(&mut result, 1, 1);
            protobuf::push_bytes(&mut result, 2, &signature);
        }
        Err(error) => protobuf::push_bytes(&mut result, 3, error.as_bytes()),
    }
    Ok(result)
}

/// The signature, or what Envoy says.
fn signature(hash: &[u8], key: &KeyText, text: &[u8]) -> Result<Vec<u8>, String> {
    let hash = Hash::named(hash)?;
    let no_key = "Invalid key type: private key required for signing operation.";
    let unusable = "Invalid private key: key data is corrupted or malformed.";
    macro_rules! ecdsa {
        ($curve:ident, $key:expr, $field:literal) => {{
            let signed: Result<$curve::ecdsa::Signature, _> =
                $key.sign_prehash(&widened(hash.of(text), $field));
            signed.map(|signature| signature.to_der().as_bytes().to_vec()).map_err(|_| unusable)
        }};
    }
    let signature = match Private::read(key).ok_or(no_key)? {
        Private::Rsa(key) => key.sign(hash.padding(), &hash.of(text)).map_err(|_| unusable),
        Private::P256(key) => ecdsa!(p256, key, 32),
        Private::P384(key) => ecdsa!(p384, key, 48),
        Private::P521(key) => ecdsa!(p521, key, 66),
        Private::Edwards => Err(unusable),
    };
    signature.map_err(str::to_owned)
}
