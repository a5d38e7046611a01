//! Short JWTs that a backend signs to prove its identity: RS256 (RFC 7518 section 3.3).
//!
//! Signed with ring: custody holds the private key of somebody's app, and ring's RSA is constant-time
//! where the pure Rust one is not (RUSTSEC-2023-0071).

use super::BackendFault;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lease::Secret;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use zeroize::Zeroize;

/// A JWT over these claims, signed with an RSA key of 2048 to 4096 bits in PEM (PKCS#1, as GitHub
/// hands it out, or PKCS#8).
///
/// # Errors
/// [`BackendFault::Unreadable`] if it is not such a key.
pub(super) fn sign(
    pem: &Secret,
    key_id: Option<&str>,
    claims: &Value,
) -> Result<Secret, BackendFault> {
    let key = key_pair(pem)?;
    let mut header = json!({"alg": "RS256", "typ": "JWT"});
    if let (Some(key_id), Some(members)) = (key_id, header.as_object_mut()) {
        members.insert("kid".to_owned(), key_id.into());
    }
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| unreadable("it does not sign"))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(Secret::new(token))
}

fn key_pair(pem: &Secret) -> Result<RsaKeyPair, BackendFault> {
    let mut der = PrivateKeyDer::from_pem_slice(pem.expose())
        .map_err(|_| unreadable("it is not a private key in PEM"))?;
    let pair = match &der {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(unreadable("it is not an RSA key")),
    };
    der.zeroize();
    pair.map_err(|_| unreadable("it is not an RSA key of 2048 to 4096 bits"))
}

fn unreadable(what: &str) -> BackendFault {
    BackendFault::Unreadable(format!("the private key: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use session::mint::SigningKey;
    use session::{Algorithm, KeySet, Rules, Verifier};

    /// Our own verifier is another implementation (pure Rust) than our signer (ring).
    #[test]
    fn what_it_signs_verifies() {
        let key = SigningKey::generate(Algorithm::Rs256, Some("k")).unwrap();
        let pem = Secret::new(key.to_pem().unwrap().as_bytes());
        let claims = json!({"iss": "i", "aud": "a", "sub": "s", "jti": "j", "iat": 1, "exp": 9});
        let token = sign(&pem, Some("k"), &claims).ok().unwrap();
        let keys = KeySet::from_jwks(&key.public_jwks()).unwrap();
        let verifier = Verifier::new(Rules::new("i", "a"), keys);
        assert_eq!(verifier.verify(token.expose(), 5).unwrap().subject(), Some("s"));
    }

    /// As GitHub issues a key: the content of a PKCS#8 key behind its header.
    #[test]
    fn both_forms_of_a_key_sign() {
        let key = SigningKey::generate(Algorithm::Rs256, None).unwrap();
        let pkcs8 = PrivateKeyDer::from_pem_slice(key.to_pem().unwrap().as_bytes()).unwrap();
        let pkcs1 = STANDARD.encode(&pkcs8.secret_der()[26..]);
        let pkcs1 =
            format!("-----BEGIN RSA PRIVATE KEY-----\n{pkcs1}\n-----END RSA PRIVATE KEY-----");
        let [one, other] = [key.to_pem().unwrap().to_string(), pkcs1]
            .map(|pem| sign(&Secret::new(pem), None, &json!({"iss": "1"})).ok().unwrap());
        assert_eq!(one.expose(), other.expose());
    }

    #[test]
    fn what_is_no_rsa_key() {
        let other = SigningKey::generate(Algorithm::EdDsa, None).unwrap();
        let other = other.to_pem().unwrap().as_bytes().to_vec();
        let bad: [&[u8]; 3] = [b"", b"-----BEGIN RSA PRIVATE KEY-----", &other];
        for pem in bad {
            let fault = sign(&Secret::new(pem), None, &json!({})).err().unwrap();
            assert!(matches!(fault, BackendFault::Unreadable(_)));
        }
    }
}
