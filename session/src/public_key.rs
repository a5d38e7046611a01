//! Public keys, and whether a signature fits one.
//!
//! What a signature has to look like is said here, before anybody is asked whether it fits. Then a host
//! may know ([`Signatures`]); where it does not, jwt-simple finds out. That also reads header and claims by
//! rules of its own, laxer than ours and with one error for everything, so its rules are switched off
//! and it is asked for one thing only: does the signature fit?
//!
//! EdDSA, which no host knows and most sessions are signed by, is ed25519-dalek's, for its speed. Both ask the
//! same of key and signature (RFC 8032 section 5.1.7): points and numbers in their one encoding, no point of
//! small order. Where that leaves a choice, dalek has the stricter equation, without the cofactor; what only
//! jwt-simple would take is a signature that the key's owner has bent on purpose.

use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256PublicKey, Ed25519PublicKey, JWTClaims, NoCustomClaims,
    RS256PublicKey, RSAPublicKeyLike, UnixTimeStamp, VerificationOptions,
};

use crate::algorithm::Algorithm;
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

/// A compact JWS, and its signature decoded.
#[derive(Clone, Copy)]
pub(crate) struct Jws<'t> {
    pub(crate) token: &'t str,
    pub(crate) signature: &'t [u8],
}

/// Why a token is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
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
        let x: &[u8; 32] = x.try_into().map_err(|_| "must be 32 bytes, as base64url")?;
        let unusable = "is no usable Ed25519 key: off the curve or of small order";
        Ed25519PublicKey::from_bytes(x).map_err(|_| unusable)?;
        ed25519_dalek::VerifyingKey::from_bytes(x).map(PublicKey::EdDsa).map_err(|_| unusable)
    }

    /// `x` and `y` of an EC key (RFC 7518 section 6.2.1), 32 bytes each, on the curve.
    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Result<PublicKey, &'static str> {
        if x.len() != 32 || y.len() != 32 {
            return Err("x and y must be 32 bytes each, as base64url");
        }
        let uncompressed = [&[4u8][..], x, y].concat();
        let made = ES256PublicKey::from_bytes(&uncompressed)
            .and_then(|key| key.to_der().map(|info| PublicKey::Es256(key, info.into())));
        made.map_err(|_| "x and y are not a point of the curve P-256")
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
        let made = RS256PublicKey::from_components(n, e).and_then(|key| {
            let info = key.to_der()?.into();
            Ok(PublicKey::Rs256 { key: Box::new(key), modulus: n.into(), info })
        });
        made.map_err(|_| "n is no RSA modulus")
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

    /// Whether the signature of a compact JWS fits. Whoever may know is shown only what is a signature by
    /// its form, so that nobody's leniency about forms can matter.
    pub(crate) fn authenticate(
        &self,
        jws: &Jws<'_>,
        signatures: &dyn Signatures,
    ) -> Result<(), Fault> {
        match self {
            PublicKey::EdDsa(key) => {
                let signature = ed25519_dalek::Signature::from_slice(jws.signature);
                let fits = signature.and_then(|sign| key.verify_strict(jws.message(), &sign));
                fits.map_err(|_| Fault::Signature)
            }
            // Two numbers from 1 to below the order of the curve, 32 bytes each (RFC 7518 section 3.4). Of
            // s and its negative both are good: honest signers send either.
            PublicKey::Es256(key, info) => {
                let signature = p256::ecdsa::Signature::from_slice(jws.signature);
                let signature = signature.map_err(|_| Fault::Signature)?.to_der();
                let said = signatures.check(&jws.signed(info, signature.as_bytes()));
                concluded(said, || key.verify_token(jws.token, no_rules()))
            }
            // As long as the modulus, and below it (RFC 8017 sections 8.2.2 and 5.2.2).
            PublicKey::Rs256 { key, modulus, info } => {
                let signature = jws.signature;
                if signature.len() != modulus.len() || signature >= &**modulus {
                    return Err(Fault::Signature);
                }
                let said = signatures.check(&jws.signed(info, signature));
                concluded(said, || key.verify_token(jws.token, no_rules()))
            }
        }
    }
}

// === impl Jws ===

impl<'t> Jws<'t> {
    /// What is signed: header and payload as sent (RFC 7515 section 5.2).
    fn message(&self) -> &'t [u8] {
        self.token.rsplit_once('.').map_or(b"", |(message, _)| message.as_bytes())
    }

    fn signed<'a>(&self, public_key: &'a [u8], signature: &'a [u8]) -> Signed<'a>
    where
        't: 'a,
    {
        Signed { public_key, message: self.message(), signature }
    }
}

/// Where nobody knew, jwt-simple does. Of what that says only Ok is a yes. Which no it is decides nothing
/// but the code the guest reads: the header was read before, claims are parsed behind the signature, and
/// nothing else there is JSON.
fn concluded(
    said: Said,
    unaided: impl FnOnce() -> Result<JWTClaims<NoCustomClaims>, jwt_simple::Error>,
) -> Result<(), Fault> {
    match said {
        Said::Yes => Ok(()),
        Said::No => Err(Fault::Signature),
        Said::Nothing => unaided().map(drop).map_err(|error| {
            if error.is::<serde_json::Error>() { Fault::Claims } else { Fault::Signature }
        }),
    }
}

/// Times, issuer, audience and size are judged by [`Claims`](crate::claims::Claims) and the verifier,
/// in one place. At time zero nothing has expired, and jwt-simple never asks the clock.
fn no_rules() -> Option<VerificationOptions> {
    Some(VerificationOptions {
        accept_future: true,
        artificial_time: Some(UnixTimeStamp::from_secs(0)),
        time_tolerance: None,
        max_token_length: None,
        ..VerificationOptions::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base64url::decode;
    use crate::signatures::Unaided;

    fn bytes(text: &str) -> Vec<u8> {
        decode(text.as_bytes()).unwrap()
    }

    fn authenticate(key: &PublicKey, token: &str) -> Result<(), Fault> {
        let signature = bytes(token.rsplit_once('.').unwrap().1);
        key.authenticate(&Jws { token, signature: &signature }, &Unaided)
    }

    /// Verifies a compact JWS, and refuses it with a bit of its signature or its payload changed.
    fn check(key: &PublicKey, jws: &str) {
        assert_eq!(authenticate(key, jws), Ok(()));
        let (input, signature) = jws.rsplit_once('.').unwrap();
        let mut changed = bytes(signature);
        changed[7] ^= 1;
        let changed = format!("{input}.{}", crate::base64url::encode(&changed));
        assert_eq!(authenticate(key, &changed), Err(Fault::Signature));
        let changed = format!("{}A.{signature}", &input[..input.len() - 1]);
        assert_eq!(authenticate(key, &changed), Err(Fault::Signature));
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
