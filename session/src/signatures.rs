//! Help with signatures: a host may check them faster than what runs inside of it.
//!
//! What a token has to be is decided by the [`Verifier`](crate::Verifier) alone, and so is what a
//! signature has to look like. All that others are asked is whether it fits the key.

/// Somebody who can check signatures.
pub trait Signatures {
    fn check(&self, signed: &Signed<'_>) -> Said;
}

/// A message and what is said to be its signature, in the encodings of X.509: ECDSA over P-256 or RSA
/// with PKCS #1 v1.5, both with SHA-256.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), DER.
    pub public_key: &'a [u8],
    pub message: &'a [u8],
    /// Of ECDSA the DER of RFC 3279 section 2.2.3; of RSA the bytes of RFC 8017 section 8.2.1.
    pub signature: &'a [u8],
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The signature fits.
    Yes,
    /// It does not.
    No,
    /// Neither: it is found out without help.
    Nothing,
}

/// No help.
#[derive(Debug, Clone, Copy)]
pub struct Unaided;

// === impl Unaided ===

impl Signatures for Unaided {
    fn check(&self, _: &Signed<'_>) -> Said {
        Said::Nothing
    }
}
