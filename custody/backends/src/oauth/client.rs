//! Custody's identity at an authorization server, and its proof (RFC 6749 section 2.3).

use crate::{BackendFault, LongLived, StoredSecret, rs256};
use custody_base::actor::Actor;
use custody_base::credential::SecretOrigin;
use custody_base::names::fresh_id;
use custody_base::outbound::{Call, CallFault};
use form_urlencoded::byte_serialize;
use lease::{Handle, Secret, UnixSeconds};
use serde::Deserialize;
use serde_json::json;

/// RFC 7523 section 2.2.
const JWT_BEARER: &[u8] = b"urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion of ours is good, in seconds.
const ASSERTION_LIFE: u64 = 60;

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: String,
    pub auth: ClientAuth,
}

/// How a client proves who it is. The secrets are in the sealed store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// A public client: it has no secret, only its id.
    None,
    /// `client_secret_basic`.
    Basic { actor: Actor, secret: Handle, encoding: BasicEncoding },
    /// `client_secret_post`.
    Post { actor: Actor, secret: Handle },
    /// `private_key_jwt` (RFC 7523), signed with RS256.
    PrivateKey { actor: Actor, key: Handle, key_id: Option<String> },
}

/// How id and secret are written into Basic credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BasicEncoding {
    /// Form-encoded, as RFC 6749 section 2.3.1 demands.
    #[default]
    Form,
    /// As they are, for servers that do not decode them.
    #[serde(rename = "none")]
    Plain,
}

/// The proof that one token request carries.
pub(super) enum Proof<'a> {
    None { id: &'a str },
    Basic { user: String, password: Secret },
    Post { id: &'a str, secret: Secret },
    Assertion { id: &'a str, assertion: Secret },
}

// === impl Client ===

impl Client {
    /// The proof, and the secret it was made with.
    pub(super) async fn prove<'a>(
        &'a self,
        secrets: &dyn LongLived,
        audience: &str,
        now: UnixSeconds,
    ) -> Result<(Proof<'a>, Option<SecretOrigin>), BackendFault> {
        let id = self.id.as_str();
        let (ClientAuth::Basic { actor, secret: handle, .. }
        | ClientAuth::Post { actor, secret: handle }
        | ClientAuth::PrivateKey { actor, key: handle, .. }) = &self.auth
        else {
            return Ok((Proof::None { id }, None));
        };
        let StoredSecret { secret, origin, .. } = secrets.read(actor, handle).await?;
        let minted_from = SecretOrigin { actor: actor.clone(), handle: handle.clone(), origin };
        let proof = match &self.auth {
            ClientAuth::None => Proof::None { id },
            ClientAuth::Basic { encoding: BasicEncoding::Plain, .. } => {
                Proof::Basic { user: id.to_owned(), password: secret }
            }
            ClientAuth::Basic { encoding: BasicEncoding::Form, .. } => {
                let user = byte_serialize(id.as_bytes()).collect();
                Proof::Basic { user, password: encoded(&secret) }
            }
            ClientAuth::Post { .. } => Proof::Post { id, secret },
            ClientAuth::PrivateKey { key_id, .. } => {
                let claims = json!({
                    "iss": id, "sub": id, "aud": audience, "jti": fresh_id("jti")?,
                    "iat": now, "exp": now + ASSERTION_LIFE,
                });
                let assertion = rs256::sign(&secret, key_id.as_deref(), &claims)?;
                Proof::Assertion { id, assertion }
            }
        };
        Ok((proof, Some(minted_from)))
    }
}

// === impl Proof ===

impl Proof<'_> {
    /// The call with the form and the proof in it.
    pub(super) fn on<'f>(
        &'f self,
        call: Call,
        mut fields: Vec<(&'f str, &'f [u8])>,
    ) -> Result<Call, CallFault> {
        let call = match self {
            Self::Basic { user, password } => call.basic(user, password)?,
            Self::None { .. } | Self::Post { .. } | Self::Assertion { .. } => call,
        };
        match self {
            Self::Basic { .. } => {}
            Self::None { id } => fields.push(("client_id", id.as_bytes())),
            Self::Post { id, secret } => {
                fields.push(("client_id", id.as_bytes()));
                fields.push(("client_secret", secret.expose()));
            }
            Self::Assertion { id, assertion } => {
                fields.push(("client_id", id.as_bytes()));
                fields.push(("client_assertion_type", JWT_BEARER));
                fields.push(("client_assertion", assertion.expose()));
            }
        }
        Ok(call.form(&fields))
    }
}

/// Sized up front, so that the vector never moves and leaves a copy of the secret behind.
fn encoded(secret: &Secret) -> Secret {
    let mut text = Vec::with_capacity(3 * secret.expose().len());
    byte_serialize(secret.expose()).for_each(|part| text.extend_from_slice(part.as_bytes()));
    Secret::new(text)
}
