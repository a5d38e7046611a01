//! Public keys, and whether a signature fits one.
//!
//! What a signature has to look like is said here, before anybody is asked whether it fits. Then a host
//! may know ([`Signatures`]); where it does not, the libraries below jwt-simple find out: p256 and superboring.
//! jwt-simple itself would read header and claims by rules of its own, so it only makes the keys.
//!
//! EdDSA, which no host knows and most sessions are signed by, is ed25519-dalek's, for its speed. dalek and
//! jwt-simple ask the same of key and signature (RFC 8032 section 5.1.7): points and numbers in their one encoding, no point of
//! small order. Where that leaves a choice, dalek has the stricter equation, without the cofactor; what only
//! jwt-simple would take is a signature that the key's owner has bent on purpose.

use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, RS256PublicKey, RSAPublicKeyLike,
};
use p256::ecdsa::signature::Verifier as _;
use superboring::hash::MessageDigest;
use superboring::pkey::PKey;
use superboring::rsa::Padding;
use superboring::sign::Verifier;

use crate::algorithm::Algorithm;
use crate::roca::has_fingerprint;
use crate::signatures::{Said, Signatures, Signed};

/// RSA moduli we take, in bits: below is weak (RFC 7518 section 3.3), above is slow for no gain.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;
/// The exponent everybody uses. Small ones have a history of forgeries by lax padding checks.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// A key that was checked when it was made, and that knows its one algorithm.
#[derive(Debug, Clone)]
pub(crate) enum PublicKey {
    EdDsa(ed25519_dalek::VerifyingKey),
    Es256(ES256PublicKey, Info),
    Rs256 { key: Box<RS256PublicKey>, modulus: Box<[u8]>, info: Info },
}

/// A SubjectPublicKeyInfo, DER: the key as others read it.
type Info = Box<[u8]>;

// === impl PublicKey ===

impl PublicKey {
    /// `x` of an OKP key (RFC 8037 section 2). Refuses points off the curve and of small order:
    /// under those a signature can be made without a private key.
    pub(crate) fn ed25519(x: &[u8]) -> Result<PublicKey, &'static str> {
        let x: &[u8; 32] = x.try_into().map_err(|_| "must be 32 bytes, as base64url")?;
        let unusable = "is not a usable Ed25519 key: off the curve or of small order";
        Ed25519PublicKey::from_bytes(x).map_err(|_| unusable)?;
        ed25519_dalek::VerifyingKey::from_bytes(x).map(PublicKey::EdDsa).map_err(|_| unusable)
    }

    /// `x` and `y` of an EC key (RFC 7518 section 6.2.1), on the curve. 32 bytes each, but for issuers that
    /// write the number and not the octets: without leading zeros, or with one too many.
    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Result<PublicKey, &'static str> {
        let (Some(x), Some(y)) = (p256_coordinate(x), p256_coordinate(y)) else {
            return Err("x and y must be 32 bytes each, as base64url");
        };
        let uncompressed = [&[4u8][..], &x, &y].concat();
        let made = ES256PublicKey::from_bytes(&uncompressed)
            .and_then(|key| key.to_der().map(|info| PublicKey::Es256(key, info.into())));
        made.map_err(|_| "x and y are not a point of the curve P-256")
    }

    /// `n` and `e` of an RSA key (RFC 7518 section 6.3.1), big-endian. Leading zeros, which the RFC forbids
    /// and some issuers write, are dropped.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<PublicKey, &'static str> {
        let n = without_leading_zeros(n);
        let Some(first) = n.first() else { return Err("n must not be zero") };
        if without_leading_zeros(e) != RSA_EXPONENT {
            return Err("e must be AQAB (65537)");
        }
        let bits = u32::try_from(n.len() * 8).unwrap_or(u32::MAX) - first.leading_zeros();
        if !RSA_BITS.contains(&bits) {
            return Err("n must have 2048 to 4096 bits");
        }
        if has_fingerprint(n) {
            return Err("n can be factored (CVE-2017-15361, ROCA); make a new key elsewhere");
        }
        let made = RS256PublicKey::from_components(n, &RSA_EXPONENT).and_then(|key| {
            let info = key.to_der()?.into();
            Ok(PublicKey::Rs256 { key: Box::new(key), modulus: n.into(), info })
        });
        made.map_err(|_| "n is not an RSA modulus")
    }

    /// The one algorithm this key is for.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            PublicKey::EdDsa(_) => Algorithm::EdDsa,
            PublicKey::Es256(..) => Algorithm::Es256,
            PublicKey::Rs256 { .. } => Algorithm::Rs256,
        }
    }

    /// Whether both are the same key, whatever their members were called.
    pub(crate) fn is_same_as(&self, other: &PublicKey) -> bool {
        match (self, other) {
            (PublicKey::EdDsa(own), PublicKey::EdDsa(other)) => own == other,
            (PublicKey::Es256(_, own), PublicKey::Es256(_, other))
            | (PublicKey::Rs256 { info: own, .. }, PublicKey::Rs256 { info: other, .. }) => {
                own == other
            }
            _ => false,
        }
    }

    /// Whether `signature` is this key's over `message`. A host that may know is shown only what is a signature
    /// by its form, so that its leniency about forms cannot matter.
    pub(crate) fn fits(
        &self,
        message: &[u8],
        signature: &[u8],
        signatures: &dyn Signatures,
    ) -> bool {
        match self {
            PublicKey::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            // Two numbers from 1 to below the order of the curve, 32 bytes each (RFC 7518 section 3.4). Of
            // s and its negative both are good: honest signers send either.
            PublicKey::Es256(key, info) => {
                let Ok(pair) = p256::ecdsa::Signature::from_slice(signature) else { return false };
                let der = pair.to_der();
                let signed = Signed { public_key: info, message, signature: der.as_bytes() };
                concluded(signatures.check(&signed), || {
                    key.public_key().as_ref().verify(message, &pair).is_ok()
                })
            }
            // As long as the modulus, and below it (RFC 8017 sections 8.2.2 and 5.2.2).
            PublicKey::Rs256 { key, modulus, info } => {
                if signature.len() != modulus.len() || signature >= &**modulus {
                    return false;
                }
                let signed = Signed { public_key: info, message, signature };
                concluded(signatures.check(&signed), || is_pkcs1_sha256(key, message, signature))
            }
        }
    }
}

/// A number's octets, big-endian, without those that say nothing.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// A number of 31 to 33 octets as the 32 of a coordinate. Shorter ones are a mistake rather than a chance
/// of one in 2^16.
fn p256_coordinate(number: &[u8]) -> Option<[u8; 32]> {
    if !(31..=33).contains(&number.len()) {
        return None;
    }
    let number = without_leading_zeros(number);
    let mut octets = [0; 32];
    octets.get_mut(32_usize.checked_sub(number.len())?..)?.copy_from_slice(number);
    Some(octets)
}

/// Of what a host says only yes is a yes; where it says nothing, the signature is checked in here.
fn concluded(said: Said, unaided: impl FnOnce() -> bool) -> bool {
    match said {
        Said::Yes => true,
        Said::No => false,
        Said::Nothing => unaided(),
    }
}

/// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2.2).
fn is_pkcs1_sha256(key: &RS256PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let verify = || {
        let key = PKey::from_rsa(key.public_key().as_ref().clone()).ok()?;
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).ok()?;
        verifier.set_rsa_padding(Padding::PKCS1).ok()?;
        verifier.update(message).ok()?;
        verifier.verify(signature).ok()
    };
    verify() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url::decode;
    use crate::signatures::Unaided;

    fn bytes(text: &str) -> Vec<u8> {
        decode(text.as_bytes()).unwrap()
    }

    fn fits(key: &PublicKey, jws: &str) -> bool {
        let (message, signature) = jws.rsplit_once('.').unwrap();
        key.fits(message.as_bytes(), &bytes(signature), &Unaided)
    }

    /// Verifies a compact JWS, and refuses it with a bit of its signature or its payload changed.
    fn check(key: &PublicKey, jws: &str) {
        assert!(fits(key, jws));
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let mut changed = bytes(signature);
        changed[7] ^= 1;
        let changed = format!("{input}.{}", crate::base64url::encode(&changed));
        assert!(!fits(key, &changed));
        let changed = format!("{}A.{signature}", &input[..input.len() - 1]);
        assert!(!fits(key, &changed));
    }

    #[test]
    fn rfc_8037_appendix_a_4() {
        let key =
            PublicKey::ed25519(&bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")).unwrap();
        check(
            &key,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
             hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        );
    }

    #[test]
    fn rfc_7515_appendix_a_3() {
        let key = PublicKey::p256(
            &bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
            &bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
        );
        check(
            &key.unwrap(),
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
             cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
             DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        );
    }

    #[test]
    fn rfc_7515_appendix_a_2() {
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJ\
                 PMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0\
                 LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uD\
                 Zlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2\
                 PAcDTW9gb54h4FRWyuXpoQ";
        let key = PublicKey::rsa(&bytes(n), &bytes("AQAB")).unwrap();
        check(
            &key,
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
             cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
             cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W\
             2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS\
             jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv\
             Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        );
    }

    /// A payload that is no JSON: only the signature is judged here.
    #[test]
    fn rfc_7520_section_4_1() {
        let n = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmS\
                 CpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-Of\
                 VfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKw\
                 uCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";
        let key = PublicKey::rsa(&bytes(n), &bytes("AQAB")).unwrap();
        check(
            &key,
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.\
             SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAg\
             b250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dp\
             bmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.\
             MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xugl\
             II7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x\
             8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE\
             _oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg",
        );
    }
}
