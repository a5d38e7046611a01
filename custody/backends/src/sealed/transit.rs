//! The signer at OpenBao: its Transit engine, with a derived key.
//!
//! The key of an actor is derived inside OpenBao from the named key and the actor as context, and no
//! call gives it out. The sealed text is `0x03 || "vault:v1:..."`; the associated data goes through
//! Transit into AES-GCM.

use super::signer::{Signer, SignerFault};
use crate::BackendFault;
use crate::openbao::Client;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use custody_base::actor::Actor;
use custody_base::outbound::{Answer, CallFault, Method, secret};
use lease::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A named key of a Transit engine.
pub struct TransitSigner {
    id: String,
    client: Client,
    mount: String,
    key: String,
}

/// The first byte of what it sealed.
const FORMAT: u8 = 3;

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    context: &'a str,
    associated_data: &'a str,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    context: &'a str,
    associated_data: &'a str,
}

#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    #[serde(deserialize_with = "secret")]
    plaintext: Secret,
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "type")]
    kind: String,
    derived: bool,
    exportable: bool,
}

// === impl TransitSigner ===

impl TransitSigner {
    /// Checks that the key is there and never leaves OpenBao.
    ///
    /// # Errors
    /// It is not there, or not derived, or exportable, or of a type without associated data.
    pub async fn open(client: Client, mount: &str, key: &str) -> Result<Self, SignerFault> {
        let path = format!("{mount}/keys/{key}");
        let granted = client.call(Method::GET, &path, &[], None::<&()>).await;
        let granted = granted.map_err(|fault| match fault {
            BackendFault::Denied(text) => SignerFault::Denied(format!(
                "{text}; fix: bao write -f {path} type=aes256-gcm96 derived=true, and a policy \
                 that lets custody read it"
            )),
            other => fault_of(other),
        })?;
        let Wrapped::<Key> { data } = read(&granted.answer, &path)?;
        let fit = data.derived && !data.exportable;
        if !fit || !matches!(data.kind.as_str(), "aes256-gcm96" | "chacha20-poly1305") {
            return Err(SignerFault::Denied(format!(
                "{path}: must be of type aes256-gcm96, derived and not exportable"
            )));
        }
        let id = Self::id_of(client.name(), mount, key);
        Ok(Self { id, client, mount: mount.to_owned(), key: key.to_owned() })
    }

    /// The name of this key in rows.
    pub fn id_of(backend: &str, mount: &str, key: &str) -> String {
        format!("transit:{backend}/{mount}/{key}")
    }
}

#[async_trait]
impl Signer for TransitSigner {
    fn key_id(&self) -> &str {
        &self.id
    }

    async fn seal(
        &self,
        actor: &Actor,
        aad: &[u8],
        secret: &Secret,
    ) -> Result<Vec<u8>, SignerFault> {
        let path = format!("{}/encrypt/{}", self.mount, self.key);
        let body = Encrypt {
            plaintext: &base64(secret.expose()),
            context: &STANDARD.encode(actor.as_str()),
            associated_data: &STANDARD.encode(aad),
        };
        let granted = self.client.call(Method::POST, &path, &[], Some(&body)).await;
        let answer = granted.map_err(fault_of)?.answer;
        let Wrapped::<Encrypted> { data } = read(&answer, &path)?;
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(data.ciphertext.as_bytes());
        Ok(sealed)
    }

    async fn unseal(
        &self,
        actor: &Actor,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Secret, SignerFault> {
        let Some((&FORMAT, ciphertext)) = sealed.split_first() else {
            return Err(SignerFault::Unopened);
        };
        let path = format!("{}/decrypt/{}", self.mount, self.key);
        let body = Decrypt {
            ciphertext: std::str::from_utf8(ciphertext).map_err(|_| SignerFault::Unopened)?,
            context: &STANDARD.encode(actor.as_str()),
            associated_data: &STANDARD.encode(aad),
        };
        let granted = self.client.call(Method::POST, &path, &[], Some(&body)).await;
        let answer = granted.map_err(fault_of)?.answer;
        let Wrapped::<Decrypted> { data } = read(&answer, &path)?;
        STANDARD.decode(data.plaintext.expose()).map(Secret::new).map_err(|_| SignerFault::Unopened)
    }
}

/// Sized up front, so that the string never moves and leaves a copy behind.
fn base64(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(3) * 4));
    STANDARD.encode_string(bytes, &mut text);
    text
}

fn read<T: serde::de::DeserializeOwned>(answer: &Answer, path: &str) -> Result<T, SignerFault> {
    answer.json().map_err(|fault: CallFault| SignerFault::Down(format!("{path}: {fault}")))
}

fn fault_of(fault: BackendFault) -> SignerFault {
    match fault {
        BackendFault::Down(text) => SignerFault::Down(text),
        other => SignerFault::Denied(other.to_string()),
    }
}
