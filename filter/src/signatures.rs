//! Signatures, checked by the host: Envoy's BoringSSL is far faster than the same in here.
//!
//! The foreign function `verify_signature` takes a `VerifySignatureArguments` and answers with a
//! `VerifySignatureResult` (Envoy, `source/extensions/common/wasm/ext/verify_signature.proto`). Only one
//! answer accepts a signature, and only one rejects it. With any other answer the filter checks the signature
//! itself, and so with a host that lacks or forbids (`capability_restriction_config`) the function. That costs
//! time, and neither lets a forgery in nor keeps an honest guest out.

use crate::host;
use edge::{Said, Signatures, Signed};

/// Envoy's help, where it gives any.
pub struct HostSignatures;

const FUNCTION: &str = "verify_signature";
const HASH: &[u8] = b"sha256";

/// Fields of `VerifySignatureArguments`.
const HASH_FUNCTION: u8 = 1;
const PUBLIC_KEY: u8 = 2;
const SIGNATURE: u8 = 3;
const TEXT: u8 = 4;

/// `VerifySignatureResult {result: true}`, and nothing behind it.
const YES: [u8; 2] = [0x08, 0x01];
/// How the `error` begins of a signature that was looked at and does not fit.
const NO: &[u8] = b"Failed to verify digest.";
/// Tag of the field `error`: number 2, with a length.
const ERROR: u8 = 0x12;

// === impl HostSignatures ===

impl Signatures for HostSignatures {
    fn check(&self, signed: &Signed<'_>) -> Said {
        let Signed { public_key, message, signature } = *signed;
        let mut argument = Vec::with_capacity(message.len() + 1024);
        push(&mut argument, HASH_FUNCTION, HASH);
        push(&mut argument, PUBLIC_KEY, public_key);
        push(&mut argument, SIGNATURE, signature);
        push(&mut argument, TEXT, message);
        match host::foreign(FUNCTION, &argument) {
            Ok(Some(result)) => said(&result),
            Ok(None) | Err(_) => Said::Nothing,
        }
    }
}

fn said(result: &[u8]) -> Said {
    match result {
        _ if *result == YES => Said::Yes,
        [ERROR, size, error @ ..] if usize::from(*size) == error.len() && error.starts_with(NO) => {
            Said::No
        }
        _ => Said::Nothing,
    }
}

/// A length-delimited field of the protobuf wire format.
fn push(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    const LENGTH_DELIMITED: u8 = 2;
    message.push(field << 3 | LENGTH_DELIMITED);
    let mut size = bytes.len();
    while size >= 0x80 {
        message.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    message.push(size as u8);
    message.extend_from_slice(bytes);
}
