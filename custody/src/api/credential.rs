//! A credential on the wire, secret and all.
//!
//! ```json
//! {"type": "basic", "user": "ci", "password": "..."}
//! {"type": "header_set", "headers": [{"name": "x-a", "value": "..."}, ...]}
//! {"type": "kerberos_ticket", "principal": "ci@EXAMPLE", "ccache": "base64..."}
//! ```
//! A secret that is not text travels as base64 (RFC 4648 section 4).

use crate::api::limits;
use crate::api::refusal::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use custody_base::credential::{Credential, CredentialFault, CredentialType};
use custody_base::outbound::{optional_secret, secret};
use lease::{HeaderName, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A credential as a caller sends it. One flat type and no tagged enum: serde would first copy the
/// fields of a tagged enum, and nobody would wipe the copies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    #[serde(rename = "type")]
    kind: CredentialType,
    #[serde(default, deserialize_with = "optional_secret")]
    token: Option<Secret>,
    user: Option<String>,
    #[serde(default, deserialize_with = "optional_secret")]
    password: Option<Secret>,
    header: Option<String>,
    #[serde(default, deserialize_with = "optional_secret")]
    key: Option<Secret>,
    headers: Option<Vec<SentHeader>>,
    certificate: Option<String>,
    #[serde(default, deserialize_with = "optional_secret")]
    private_key: Option<Secret>,
    principal: Option<String>,
    #[serde(default, deserialize_with = "optional_secret")]
    ccache: Option<Secret>,
    #[serde(default, deserialize_with = "optional_secret")]
    bytes: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentHeader {
    name: String,
    #[serde(deserialize_with = "secret")]
    value: Secret,
}

/// A credential as it is shown to a worker, and the schema of both ways.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "Credential")]
pub enum Shown<'a> {
    Bearer {
        #[schemars(schema_with = "limits::header_secret")]
        token: &'a str,
    },
    Basic {
        #[schemars(schema_with = "limits::user")]
        user: &'a str,
        #[schemars(schema_with = "limits::header_secret")]
        password: &'a str,
    },
    ApiKey {
        #[schemars(schema_with = "limits::header_name")]
        header: &'a str,
        #[schemars(schema_with = "limits::header_secret")]
        key: &'a str,
    },
    HeaderSet {
        #[schemars(schema_with = "header_set")]
        headers: Vec<ShownHeader<'a>>,
    },
    SshCertificate {
        /// OpenSSH text form.
        certificate: &'a str,
        /// The key it certifies, as text.
        #[schemars(schema_with = "limits::secret")]
        private_key: &'a str,
    },
    KerberosTicket {
        principal: &'a str,
        /// A credential cache, in base64.
        ccache: &'a Text,
    },
    Opaque {
        /// In base64.
        bytes: &'a Text,
    },
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CredentialHeader")]
pub struct ShownHeader<'a> {
    #[schemars(schema_with = "limits::header_name")]
    name: &'a str,
    #[schemars(schema_with = "limits::header_secret")]
    value: &'a str,
}

/// Headers that only work together; the schema does not express that each has another name.
fn header_set(schemas: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let mut schema = schemas.subschema_for::<Vec<ShownHeader<'_>>>();
    schema.insert("minItems".into(), 1.into());
    schema
}

/// The answer to a store of a credential.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    pub actor: String,
    pub handle: String,
    pub version: u64,
}

/// Base64, wiped when dropped.
pub struct Text(Zeroizing<String>);

// === impl Sent ===

impl Sent {
    /// The credential, if exactly the fields of its type are there, and it could be used.
    ///
    /// # Errors
    /// Which field is missing or too many, or what is wrong with the secret; never the secret.
    pub fn credential(mut self) -> Result<Credential, Refusal> {
        let credential = match self.kind {
            CredentialType::Bearer => Credential::Bearer { token: need("token", &mut self.token)? },
            CredentialType::Basic => Credential::Basic {
                user: need("user", &mut self.user)?,
                password: need("password", &mut self.password)?,
            },
            CredentialType::ApiKey => Credential::ApiKey {
                header: name(&need("header", &mut self.header)?)?,
                key: need("key", &mut self.key)?,
            },
            CredentialType::HeaderSet => {
                let headers = need("headers", &mut self.headers)?.into_iter();
                let headers = headers.map(|header| Ok((name(&header.name)?, header.value)));
                Credential::HeaderSet { headers: headers.collect::<Result<_, Refusal>>()? }
            }
            CredentialType::SshCertificate => Credential::SshCertificate {
                certificate: need("certificate", &mut self.certificate)?,
                private_key: need("private_key", &mut self.private_key)?,
            },
            CredentialType::KerberosTicket => Credential::KerberosTicket {
                principal: need("principal", &mut self.principal)?,
                ccache: decoded("ccache", &need("ccache", &mut self.ccache)?)?,
            },
            CredentialType::Opaque => {
                Credential::Opaque { bytes: decoded("bytes", &need("bytes", &mut self.bytes)?)? }
            }
        };
        if let Some(field) = self.stray() {
            let kind = credential.kind();
            return Err(Refusal::bad_request(format!("credential.{field}: not of type {kind}")));
        }
        usable(credential)
    }

    /// A field that the type does not have.
    fn stray(&self) -> Option<&'static str> {
        let Self { kind: _, token, user, password, header, key, headers, certificate, .. } = self;
        let Self { private_key, principal, ccache, bytes, .. } = self;
        [
            ("token", token.is_some()),
            ("user", user.is_some()),
            ("password", password.is_some()),
            ("header", header.is_some()),
            ("key", key.is_some()),
            ("headers", headers.is_some()),
            ("certificate", certificate.is_some()),
            ("private_key", private_key.is_some()),
            ("principal", principal.is_some()),
            ("ccache", ccache.is_some()),
            ("bytes", bytes.is_some()),
        ]
        .into_iter()
        .find_map(|(field, there)| there.then_some(field))
    }
}

fn need<T>(field: &'static str, value: &mut Option<T>) -> Result<T, Refusal> {
    value.take().ok_or_else(|| Refusal::bad_request(format!("credential.{field}: is missing")))
}

fn name(text: &str) -> Result<HeaderName, Refusal> {
    HeaderName::parse(text)
        .map_err(|fault| Refusal::bad_request(format!("the header's name: {fault}")))
}

fn decoded(field: &'static str, base64: &Secret) -> Result<Secret, Refusal> {
    // Sized up front, so that the vector never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(vec![0; base64.expose().len()]);
    let length = STANDARD
        .decode_slice(base64.expose(), &mut bytes)
        .map_err(|_| Refusal::bad_request(format!("credential.{field}: is not base64")))?;
    bytes.truncate(length);
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

/// A credential that could never be used is refused now, and not when somebody waits for it.
fn usable(credential: Credential) -> Result<Credential, Refusal> {
    let fault = match credential.headers() {
        Ok(_) => None,
        Err(CredentialFault::NotHeaders(_)) => {
            let empty = credential.secret().expose().is_empty();
            empty.then(|| "the secret is empty".to_owned())
        }
        Err(fault) => Some(fault.to_string()),
    };
    fault.map_or(Ok(credential), |fault| Err(Refusal::bad_request(format!("credential: {fault}"))))
}

// === impl Shown ===

/// The credential inside a larger answer, which `write` writes; it is wiped when dropped.
///
/// # Errors
/// The secret is not text although its type is one of text.
pub fn show(
    credential: &Credential,
    write: impl FnOnce(Shown<'_>, &mut Vec<u8>) -> serde_json::Result<()>,
) -> Result<Zeroizing<Vec<u8>>, CredentialFault> {
    let base64;
    let shown = match credential {
        Credential::Bearer { token } => Shown::Bearer { token: text(token)? },
        Credential::Basic { user, password } => Shown::Basic { user, password: text(password)? },
        Credential::ApiKey { header, key } => {
            Shown::ApiKey { header: header.as_str(), key: text(key)? }
        }
        Credential::HeaderSet { headers } => {
            let shown = headers
                .iter()
                .map(|(name, value)| Ok(ShownHeader { name: name.as_str(), value: text(value)? }));
            Shown::HeaderSet { headers: shown.collect::<Result<_, CredentialFault>>()? }
        }
        Credential::SshCertificate { certificate, private_key } => {
            Shown::SshCertificate { certificate, private_key: text(private_key)? }
        }
        Credential::KerberosTicket { principal, ccache } => {
            base64 = Text::of(ccache);
            Shown::KerberosTicket { principal, ccache: &base64 }
        }
        Credential::Opaque { bytes } => {
            base64 = Text::of(bytes);
            Shown::Opaque { bytes: &base64 }
        }
    };
    // Room for every byte escaped, so that the vector never moves and leaves a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(room(credential)));
    write(shown, &mut body).map_err(|_| CredentialFault::NotText)?;
    Ok(body)
}

fn room(credential: &Credential) -> usize {
    let shape = serde_json::to_vec(&credential.shape()).map_or(0, |shape| shape.len());
    2048 + 6 * (credential.secret().expose().len() + shape)
}

fn text(secret: &Secret) -> Result<&str, CredentialFault> {
    std::str::from_utf8(secret.expose()).map_err(|_| CredentialFault::NotText)
}

// === impl Text ===

impl Text {
    fn of(secret: &Secret) -> Self {
        let bytes = secret.expose();
        let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(3) * 4));
        STANDARD.encode_string(bytes, &mut text);
        Self(text)
    }
}

impl Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Base64".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        limits::base64()
    }
}

#[cfg(test)]
mod tests;
