//! Public keys, and whether a signature fits one.
//!
//! This uses the signature primitives and nothing above them: a JWT library would parse header
//! and claims a second time by laxer rules of its own, and give one error for all of it.

use p256::ecdsa::signature::Verifier;
use rsa::sha2::{Digest, Sha256};
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};

use crate::algorithm::Algorithm;

/// RSA moduli we take, in bits: below is weak (RFC 7518 section 3.3), above is slow for no gain.
const RSA_BITS: std::ops::RangeInclusive<u64> = 2048..=4096;
/// The exponent everybody uses. Small ones have a history of forgeries by lax padding checks.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// A key that was checked when it was made, and that knows its one algorithm.
#[derive(Debug, Clone)]
pub(crate) enum PublicKey {
    EdDsa(ed25519_compact::PublicKey),
    Es256(p256::ecdsa::VerifyingKey),
    Rs256(RsaPublicKey),
}

// === impl PublicKey ===

impl PublicKey {
    /// `x` of an OKP key (RFC 8037 section 2). Refuses points off the curve and of small order:
    /// under those a signature can be made without a private key.
    pub(crate) fn ed25519(x: &[u8]) -> Result<PublicKey, &'static str> {
        let key = ed25519_compact::PublicKey::from_slice(x)
            .map_err(|_| "must be 32 bytes, as base64url")?;
        key.validate().map_err(|_| "is no usable Ed25519 key: off the curve or of small order")?;
        Ok(PublicKey::EdDsa(key))
    }

    /// `x` and `y` of an EC key (RFC 7518 section 6.2.1), 32 bytes each, on the curve.
    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Result<PublicKey, &'static str> {
        if x.len() != 32 || y.len() != 32 {
            return Err("x and y must be 32 bytes each, as base64url");
        }
        let uncompressed = [&[4u8][..], x, y].concat();
        p256::ecdsa::VerifyingKey::from_sec1_bytes(&uncompressed)
            .map(PublicKey::Es256)
            .map_err(|_| "x and y are not a point of the curve P-256")
    }

    /// `n` and `e` of an RSA key (RFC 7518 section 6.3.1), big-endian without leading zeros.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<PublicKey, &'static str> {
        if n.first().is_none_or(|octet| *octet == 0) {
            return Err("n must not start with a zero byte");
        }
        if e != RSA_EXPONENT {
            return Err("e must be AQAB (65537)");
        }
        let modulus = BigUint::from_bytes_be(n);
        if !RSA_BITS.contains(&(modulus.bits() as u64)) {
            return Err("n must have 2048 to 4096 bits");
        }
        RsaPublicKey::new(modulus, BigUint::from_bytes_be(e))
            .map(PublicKey::Rs256)
            .map_err(|_| "n is no RSA modulus")
    }

    /// The one algorithm this key is for.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            PublicKey::EdDsa(_) => Algorithm::EdDsa,
            PublicKey::Es256(_) => Algorithm::Es256,
            PublicKey::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// Whether `signature` (raw: 64 bytes, `r || s`, or as long as the modulus) fits `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            PublicKey::EdDsa(key) => ed25519_compact::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            PublicKey::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            PublicKey::Rs256(key) => {
                let hash = Sha256::digest(message);
                key.verify(Pkcs1v15Sign::new::<Sha256>(), &hash, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url::decode;

    fn bytes(text: &str) -> Vec<u8> {
        decode(text.as_bytes()).unwrap()
    }

    /// Verifies a compact JWS, and refuses it with its last signature bit changed.
    fn check(key: &PublicKey, jws: &str) {
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let mut signature = bytes(signature);
        assert!(key.verifies(input.as_bytes(), &signature));
        assert!(!key.verifies(&input.as_bytes()[1..], &signature));
        *signature.last_mut().unwrap() ^= 1;
        assert!(!key.verifies(input.as_bytes(), &signature));
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
}
