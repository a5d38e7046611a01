//! Signatures as Standard Webhooks has them (specification 1.0.0, "Signature scheme").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lease::{Secret, UnixSeconds};
use ring::hmac;
use zeroize::Zeroizing;

/// The key of HMAC-SHA256 signatures.
pub struct SigningSecret(hmac::Key);

/// The text holds nothing of the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningFault {
    #[error("begins with whsec_ and is not base64 behind it")]
    NotBase64,
    #[error("is shorter than {LEAST} bytes")]
    Short,
}

/// The prefix of a secret in this standard, before the base64.
const PREFIX: &[u8] = b"whsec_";
/// Bytes, by the standard.
const LEAST: usize = 24;

// === impl SigningSecret ===

impl SigningSecret {
    /// `whsec_` and base64, as receivers hand it out; or else the bytes themselves. A line end
    /// behind it, as editors leave one, is no part of it.
    ///
    /// # Errors
    /// [`SigningFault`].
    pub fn read(secret: &Secret) -> Result<Self, SigningFault> {
        let text = secret.expose().trim_ascii_end();
        let key = match text.strip_prefix(PREFIX) {
            None => Zeroizing::new(text.to_vec()),
            Some(base64) => {
                Zeroizing::new(STANDARD.decode(base64).map_err(|_| SigningFault::NotBase64)?)
            }
        };
        if key.len() < LEAST {
            return Err(SigningFault::Short);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The value of `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over
    /// `ID.TIMESTAMP.BODY`.
    pub fn sign(&self, id: &str, timestamp: UnixSeconds, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SigningSecret, SigningFault> {
        SigningSecret::read(&Secret::new(text))
    }

    /// The example of the standard's own libraries.
    #[test]
    fn the_signature_of_the_standards_example() {
        let secret = read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret() {
        assert_eq!(read("whsec_!").err(), Some(SigningFault::NotBase64));
        assert_eq!(read("whsec_MfKQ9r8GKYqr").err(), Some(SigningFault::Short));
        assert_eq!(read(&"x".repeat(23)).err(), Some(SigningFault::Short));
        assert_eq!(read(&format!("{}\r\n", "x".repeat(23))).err(), Some(SigningFault::Short));
        let (plain, ended) = (read(&"x".repeat(24)), read(&format!("{}\n", "x".repeat(24))));
        assert_eq!(plain.unwrap().sign("i", 1, b""), ended.unwrap().sign("i", 1, b""));
    }
}
