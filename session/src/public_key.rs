//! Public keys, and whether a signature fits one.
//!
//! jwt-simple checks the signature. It also reads header and claims by rules of its own, laxer than
//! ours and with one error for everything, so its rules are switched off and what it finds is asked
//! for one thing only: does the signature fit?

use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, EdDSAPublicKeyLike, NoCustomClaims,
    RS256PublicKey, RSAPublicKeyLike, Token, UnixTimeStamp, VerificationOptions,
};

use crate::algorithm::Algorithm;

/// RSA moduli we take, in bits: below is weak (RFC 7518 section 3.3), above is slow for no gain.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;
/// The exponent everybody uses. Small ones have a history of forgeries by lax padding checks.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// A key that was checked when it was made, and that knows its one algorithm.
#[derive(Debug, Clone)]
pub(crate) enum PublicKey {
    EdDsa(Ed25519PublicKey),
    Es256(ES256PublicKey),
    Rs256(Box<RS256PublicKey>),
}

/// Why a token is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The header cannot be read.
    Header,
    /// The signature does not fit.
    Signature,
    /// The signature fits, and jwt-simple cannot read the claims; nor will we.
    Claims,
}

// === impl PublicKey ===

impl PublicKey {
    /// `x` of an OKP key (RFC 8037 section 2). Refuses points off the curve and of small order:
    /// under those a signature can be made without a private key.
    pub(crate) fn ed25519(x: &[u8]) -> Result<PublicKey, &'static str> {
        if x.len() != 32 {
            return Err("must be 32 bytes, as base64url");
        }
        Ed25519PublicKey::from_bytes(x)
            .map(PublicKey::EdDsa)
            .map_err(|_| "is no usable Ed25519 key: off the curve or of small order")
    }

    /// `x` and `y` of an EC key (RFC 7518 section 6.2.1), 32 bytes each, on the curve.
    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Result<PublicKey, &'static str> {
        if x.len() != 32 || y.len() != 32 {
            return Err("x and y must be 32 bytes each, as base64url");
        }
        let uncompressed = [&[4u8][..], x, y].concat();
        ES256PublicKey::from_bytes(&uncompressed)
            .map(PublicKey::Es256)
            .map_err(|_| "x and y are not a point of the curve P-256")
    }

    /// `n` and `e` of an RSA key (RFC 7518 section 6.3.1), big-endian without leading zeros.
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Result<PublicKey, &'static str> {
        let Some(first) = n.first().filter(|octet| **octet != 0) else {
            return Err("n must not start with a zero byte");
        };
        if e != RSA_EXPONENT {
            return Err("e must be AQAB (65537)");
        }
        let bits = u32::try_from(n.len() * 8).unwrap_or(u32::MAX) - first.leading_zeros();
        if !RSA_BITS.contains(&bits) {
            return Err("n must have 2048 to 4096 bits");
        }
        RS256PublicKey::from_components(n, e)
            .map(|key| PublicKey::Rs256(Box::new(key)))
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

    /// Whether the signature of a compact JWS fits.
    pub(crate) fn authenticate(&self, token: &str) -> Result<(), Fault> {
        // The signature covers the header, so this is asked first: later errors are about the
        // signature or, behind it, the claims.
        Token::decode_metadata(token).map_err(|_| Fault::Header)?;
        let rules = Some(no_rules());
        let verified = match self {
            PublicKey::EdDsa(key) => key.verify_token::<NoCustomClaims>(token, rules),
            PublicKey::Es256(key) => key.verify_token::<NoCustomClaims>(token, rules),
            PublicKey::Rs256(key) => key.verify_token::<NoCustomClaims>(token, rules),
        };
        // Only Ok is a yes. Which no it is decides nothing but the code the guest reads: claims are
        // parsed behind the signature, and nothing else there is JSON.
        verified.map(drop).map_err(|error| {
            if error.is::<serde_json::Error>() { Fault::Claims } else { Fault::Signature }
        })
    }
}

/// Times, issuer, audience and size are judged by [`Claims`](crate::claims::Claims) and the verifier,
/// in one place. At time zero nothing has expired, and jwt-simple never asks the clock.
fn no_rules() -> VerificationOptions {
    VerificationOptions {
        accept_future: true,
        artificial_time: Some(UnixTimeStamp::from_secs(0)),
        time_tolerance: None,
        max_token_length: None,
        ..VerificationOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url::decode;

    fn bytes(text: &str) -> Vec<u8> {
        decode(text.as_bytes()).unwrap()
    }

    /// Verifies a compact JWS, and refuses it with a bit of its signature or its payload changed.
    fn check(key: &PublicKey, jws: &str, fits: Result<(), Fault>) {
        assert_eq!(key.authenticate(jws), fits);
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let mut changed = bytes(signature);
        changed[7] ^= 1;
        let changed = format!("{input}.{}", crate::base64url::encode(&changed));
        assert_eq!(key.authenticate(&changed), Err(Fault::Signature));
        let changed = format!("{}A.{signature}", &input[..input.len() - 1]);
        assert_eq!(key.authenticate(&changed), Err(Fault::Signature));
    }

    #[test]
    fn rfc_8037_appendix_a_4() {
        let key =
            PublicKey::ed25519(&bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")).unwrap();
        check(
            &key,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
             hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            // Its payload is a sentence and no claims.
            Err(Fault::Claims),
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
            Ok(()),
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
            Ok(()),
        );
    }
}
